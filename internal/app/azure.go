package app

import (
	"fmt"
	"regexp"
	"strings"
)

// What Azure takes as names ("Naming rules and restrictions for Azure resources"; "Understanding the Table service data model").
// Checked at the start because Azure answers a wrong one with no more than 400, and an account's name becomes part of a host's.
var (
	azureAccount   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	azureContainer = regexp.MustCompile(`^(\$root|[a-z0-9](-?[a-z0-9]){2,62})$`)
	azureTable     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{2,62}$`)
)

// checkAzure finds what a store on Azure cannot do without, and names that cannot be.
func (c Config) checkAzure() error {
	blobs, table := c.Storage == "azure", c.StateName() == "table"
	switch {
	case blobs && c.AzureContainer == "":
		return fmt.Errorf("%sSTORAGE is azure: %sAZURE_CONTAINER (--azure-container) must name the container", Prefix, Prefix)
	case !blobs && c.AzureContainer != "":
		return fmt.Errorf("%sAZURE_CONTAINER (--azure-container) is set, but %sSTORAGE is %s: set it to azure", Prefix, Prefix, c.Storage)
	case !blobs && !table: // the account's variables may be another program's
		return nil
	case c.AzureConnectionString == "" && c.AzureAccount == "":
		return fmt.Errorf("%sAZURE_ACCOUNT (--azure-account) must name the storage account, or %sAZURE_CONNECTION_STRING say how to reach it",
			Prefix, Prefix)
	case strings.Contains(c.AzureAccount, "="): // its key is in no log and no error
		return fmt.Errorf("%sAZURE_ACCOUNT (--azure-account) holds more than a name: a connection string belongs into %sAZURE_CONNECTION_STRING",
			Prefix, Prefix)
	case c.AzureConnectionString == "" && !azureAccount.MatchString(c.AzureAccount):
		return fmt.Errorf("%sAZURE_ACCOUNT (--azure-account): %q is not the name of a storage account: 3 to 24 lower-case letters and digits, no URL",
			Prefix, c.AzureAccount)
	case blobs && !azureContainer.MatchString(c.AzureContainer):
		return fmt.Errorf("%sAZURE_CONTAINER (--azure-container): %q cannot be a container's name: 3 to 63 lower-case letters, digits and single hyphens",
			Prefix, c.AzureContainer)
	case table && !azureTable.MatchString(c.AzureTable):
		return fmt.Errorf("%sAZURE_TABLE (--azure-table): %q cannot be a table's name: 3 to 63 letters and digits, a letter first",
			Prefix, c.AzureTable)
	}
	return nil
}
