package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// permission matches an IAM permission of Google's in quotes.
var permission = regexp.MustCompile(`"([a-z]+\.[A-Za-z]+\.[A-Za-z]+)"`)

// GooglePermissions returns what the custom roles of the Terraform module for Google hold, sorted, by role; root is the module's
// directory. Of the roles objects, endpoint, sweeper and signer, the endpoint's account has objects, endpoint and signer, and the sweeper's
// objects and sweeper.
func GooglePermissions(root string) (map[string][]string, error) {
	file := filepath.Join(root, "infra", "terraform", "gcp", "policy.tf")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roles, err := googleRoles(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return roles, nil
}

func googleRoles(file string) (map[string][]string, error) {
	all, err := braces(file, "  roles = {")
	if err != nil {
		return nil, err
	}
	roles := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) += \[`).FindAllStringSubmatch(all, -1) {
		list, err := braces(all, m[0])
		if err != nil {
			return nil, err
		}
		for _, p := range permission.FindAllStringSubmatch(list, -1) {
			roles[m[1]] = append(roles[m[1]], p[1])
		}
		slices.Sort(roles[m[1]])
	}
	for _, name := range []string{"objects", "endpoint", "sweeper", "signer"} {
		if len(roles[name]) == 0 {
			return nil, fmt.Errorf("there is no role %s, or nothing in it", name)
		}
	}
	return roles, nil
}
