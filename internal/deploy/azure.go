package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// azureRole matches what the module for Azure lets its identity be.
var azureRole = regexp.MustCompile(`(\w+) += \{ role = "([^"]+)", scope = (\S+) \}`)

// AzureRoles returns the built-in roles that the Terraform module for Azure gives its one identity, by the module's names for them;
// root is the module's directory.
func AzureRoles(root string) (map[string]string, error) {
	file := filepath.Join(root, "infra", "terraform", "azure", "policy.tf")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roles := map[string]string{}
	for _, m := range azureRole.FindAllStringSubmatch(string(text), -1) {
		roles[m[1]] = m[2]
	}
	for _, name := range []string{"objects", "records", "signer"} {
		if roles[name] == "" {
			return nil, fmt.Errorf("%s: there is no role for %s", file, name)
		}
	}
	return roles, nil
}
