package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/internal/app"
)

const azure = "infra/terraform/azure/"

// What the module for Azure sets where nobody chooses otherwise must start the program, and no name may be misspelt.
func TestAzureSettingsExistAndTheDefaultsAreAccepted(t *testing.T) {
	known := map[string]bool{}
	for _, s := range app.Settings() {
		known[s.Env] = true
	}
	file, defaults := read(t, azure+"functions.tf"), variables(t, "azure")
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(FILELOFT_\w+) += (?:"([^"]*)"|[^\n"]*?\b(?:var|data|uploads|records)\.(\w+)[^\n]*)\n`).FindAllStringSubmatch(file, -1) {
		if env[m[1]] = m[2]; m[3] != "" {
			env[m[1]] = defaults[m[3]]
		}
	}
	env["FILELOFT_AZURE_ACCOUNT"], env["FILELOFT_AZURE_CONTAINER"], env["FILELOFT_AZURE_TABLE"] = "filelofta1b2c3d4data", defaults["container"], defaults["table"]
	env["FILELOFT_EXPIRATION_TTL"], env["FILELOFT_CORS_ALLOW_ORIGIN"] = "86400", "*"
	if got, all := len(env), len(matches(t, `(FILELOFT_\w+) += `, file)); got != all || all < 13 {
		t.Errorf("%d of %d settings are read: this test is half blind", got, all)
	}
	var list app.Env
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !known[name] {
			t.Errorf("%s is no setting", name)
		}
		list = append(list, name+"="+env[name])
	}
	c, err := app.Load(list, map[string]string{"storage": "azure"})
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxSize != 10<<30 || c.BasePath != "/files/" || !c.EnableExpiration || c.EnableDownload || c.AzureContainer != "uploads" || c.AzureTable != "fileloft" ||
		c.StateName() != "table" {
		t.Errorf("the settings do not arrive: %+v", c)
	}
}

// Terraform knows no values: what is misspelt here would be found by nobody.
func TestAzureNamesAreThoseOfTheCode(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(root, "functions", "azure", "*", "function.json"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range folders {
		have[filepath.Base(filepath.Dir(f))] = true
	}
	for _, name := range matches(t, `name [!=]= '(\w+)'`, read(t, azure+"alerts.tf")) {
		if !have[name] || !strings.Contains(read(t, "functions/azure/"+name+"/function.json"), `"timerTrigger"`) {
			t.Errorf("an alert takes %s for the function that sweeps; there are %v", name, have)
		}
	}
	store := read(t, "storage/azurestore/azurestore.go")
	if pieces := matches(t, `&o\.Pieces, "(.*)"`, store)[0]; !strings.Contains(read(t, azure+"data.tf"), `"${var.container}/`+pieces+`"`) {
		t.Errorf("the lifecycle policy does not know that pieces lie below %s", pieces)
	}
	if size := matches(t, `"max-chunk": +"(.*)"`, read(t, "functions/azure/main.go"))[0]; size != "64MiB" {
		t.Errorf("the function takes chunks of %s, and the module's output says 64 MiB", size)
	}
	if n := matches(t, `(?s)output "max_chunk_size".*?value += (\d+)`, read(t, azure+"outputs.tf"))[0]; n != "67108864" {
		t.Errorf("the module's output says %s bytes, and the function takes 64 MiB", n)
	}
	if s := matches(t, `"request-timeout": +"(\d+)s"`, read(t, "functions/azure/main.go"))[0]; !strings.Contains(read(t, "docs/azure.md"), "after "+s+" s") {
		t.Errorf("docs/azure.md does not say that a request ends after %s s", s)
	}
	zip := strings.TrimPrefix(matches(t, `default_package = "\$\{path\.module\}/([^"]+)"`, read(t, azure+"functions.tf"))[0], "../../../")
	if !strings.Contains(read(t, "Makefile"), zip) {
		t.Errorf("make package does not make %s", zip)
	}
}

// builtIn are the data actions of the built-in roles ("Azure built-in roles for Storage"), and of their actions the ones that count here.
var builtIn = map[string][]string{
	"Storage Blob Data Contributor":  {"containers/read", "blobs/read", "blobs/write", "blobs/add/action", "blobs/delete", "blobs/move/action"},
	"Storage Table Data Contributor": {"entities/read", "entities/write", "entities/delete", "entities/add/action", "entities/update/action"},
	"Storage Blob Delegator":         {"generateUserDelegationKey/action"},
	"Storage Blob Data Owner":        {"everything"},
}

// needed are the actions behind the methods of Azure's clients ("Authorize with Microsoft Entra ID" in the REST references). What
// none of the drivers calls today is here, too, so that it is seen when one does.
var needed = map[string][]string{
	"StageBlock": {"blobs/write"}, "CommitBlockList": {"blobs/write"}, "Upload": {"blobs/write"}, "UploadBuffer": {"blobs/write"},
	"UploadStream": {"blobs/write"}, "StageBlockFromURL": {"blobs/write", "blobs/read"}, "StartCopyFromURL": {"blobs/write", "blobs/read"},
	"CopyFromURL": {"blobs/write", "blobs/read"}, "AbortCopyFromURL": {"blobs/write"}, "SetMetadata": {"blobs/write"}, "SetTier": {"blobs/write"},
	"SetHTTPHeaders": {"blobs/write"}, "AppendBlock": {"blobs/add/action"}, "DownloadStream": {"blobs/read"}, "DownloadBuffer": {"blobs/read"},
	"GetBlockList": {"blobs/read"}, "NewListBlobsFlatPager": {"blobs/read"}, "NewListBlobsHierarchyPager": {"blobs/read"},
	"GetProperties": {"blobs/read", "containers/read"}, "Delete": {"blobs/delete"}, "GetUserDelegationCredential": {"generateUserDelegationKey/action"},
	"SetTags": {"tags/write"}, "GetTags": {"tags/read"}, "FilterBlobs": {"filter/action"}, "SetAccessPolicy": {"containers/setAcl/action"},
	"SetImmutabilityPolicy": {"immutableStorage/runAsSuperUser/action"}, "AddEntity": {"entities/add/action"}, "GetEntity": {"entities/read"},
	"NewListEntitiesPager": {"entities/read"}, "UpdateEntity": {"entities/update/action"}, "UpsertEntity": {"entities/write"},
	"DeleteEntity":      {"entities/delete"},
	"SubmitTransaction": {"entities/add/action", "entities/update/action", "entities/write", "entities/delete"},
}

// The emulator takes any identity, so that only this says whether the roles are enough.
func TestAzureRolesCoverWhatTheDriversCall(t *testing.T) {
	policy := read(t, azure+"policy.tf")
	granted := map[string]bool{}
	scopes := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+) += \{ role = "([^"]+)", scope = (\S+) \}`).FindAllStringSubmatch(policy, -1) {
		actions, ok := builtIn[m[2]]
		if !ok {
			t.Errorf("nobody has written down what %s may do", m[2])
		}
		if scopes[m[1]] = m[3]; strings.HasSuffix(m[3], "host.id") {
			continue // not where the drivers work
		}
		for _, a := range actions {
			granted[a] = true
		}
	}
	want := map[string]string{
		"objects": "local.container_scope", "records": "local.table_scope", "signer": "azurerm_storage_account.data.id",
		"host_blobs": "azurerm_storage_account.host.id", "host_tables": "azurerm_storage_account.host.id",
	}
	if d := cmp.Diff(want, scopes); d != "" {
		t.Errorf("the roles hold elsewhere: want (-), got (+)\n%s", d)
	}
	doc := read(t, "docs/azure.md")
	for dir, least := range map[string]int{"storage/azurestore": 8, "state/tablestate": 5} {
		called := calls(t, dir)
		if len(called) < least {
			t.Errorf("%s calls %v: this test is half blind", dir, called)
		}
		for _, method := range called {
			for _, a := range needed[method] {
				if !granted[a] {
					t.Errorf("%s calls %s, which needs %s, and no role allows it", dir, method, a)
				}
				if !strings.Contains(doc, "`"+a+"`") {
					t.Errorf("docs/azure.md does not say that %s is needed", a)
				}
			}
		}
	}
}

// calls returns the methods of Azure's clients that a package calls, sorted.
func calls(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(dir)))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), read(t, dir+"/"+f.Name()), 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if s, ok := call.Fun.(*ast.SelectorExpr); ok && needed[s.Sel.Name] != nil {
					found[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}
