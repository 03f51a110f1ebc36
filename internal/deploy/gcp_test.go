package deploy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/firestorestate"
)

const gcp = "infra/terraform/gcp/"

// What the module for Google sets where nobody chooses otherwise must start the program, and no name may be misspelt.
func TestGoogleSettingsExistAndTheDefaultsAreAccepted(t *testing.T) {
	known := map[string]bool{}
	for _, s := range app.Settings() {
		known[s.Env] = true
	}
	file, defaults := read(t, gcp+"functions.tf"), variables(t, "gcp")
	defaults["project"] = "my-project"
	env := map[string]string{}
	lines := regexp.MustCompile(`(FILELOFT_\w+) += (?:(var|s)\.(\w+)\n|"([^"]*)"|[^\n"]*(?:var|s|objects)\.(\w+)[^\n]*\n)`).FindAllStringSubmatch(file, -1)
	for _, m := range lines {
		switch {
		case m[2] == "var":
			env[m[1]] = defaults[m[3]]
		case m[5] != "":
			env[m[1]] = defaults[m[5]]
		default:
			env[m[1]] = m[4]
		}
	}
	env["FILELOFT_GCS_BUCKET"], env["FILELOFT_EXPIRATION_TTL"], env["FILELOFT_CORS_ALLOW_ORIGIN"] = "bucket", "86400", "*"
	env["FILELOFT_REQUEST_TIMEOUT"] = defaults["request_timeout"]
	if got, all := len(env), len(matches(t, `(FILELOFT_\w+) += `, file)); got != all || all < 15 {
		t.Errorf("%d of %d settings are read: this test is half blind", got, all)
	}
	var list app.Env
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !known[name] {
			t.Errorf("%s is no setting", name)
		}
		list = append(list, name+"="+env[name])
	}
	c, err := app.Load(list, map[string]string{"storage": "gcs"})
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxSize != 10<<30 || c.BasePath != "/files/" || !c.EnableExpiration || !c.EnableH2C || c.SweepInterval != 0 || c.RequestTimeout.Seconds() != 300 ||
		c.FirestoreProject != "my-project" || c.FirestoreDatabase != "fileloft" || c.StateName() != "firestore" {
		t.Errorf("the settings do not arrive: %+v", c)
	}
}

// Terraform knows no values: a misspelt field or function would be found by the first sweep.
func TestGoogleNamesAreThoseOfTheCode(t *testing.T) {
	data := read(t, gcp+"data.tf")
	for _, want := range []string{
		fmt.Sprintf(`toset([%q, %q, %q, %q])`,
			firestorestate.RecordField, firestorestate.ShardField, firestorestate.BucketField, firestorestate.TTLField),
		fmt.Sprintf(`each.value == %q`, firestorestate.TTLField),
	} {
		if !strings.Contains(data, want) {
			t.Errorf("data.tf does not have %s", want)
		}
	}
	index, err := braces(data, `resource "google_firestore_index" "due" {`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{firestorestate.ShardField, firestorestate.BucketField}
	if d := cmp.Diff(want, matches(t, `field_path = "(\w+)"\n +order += "ASCENDING"`, index)); d != "" {
		t.Errorf("the index is of other fields: want (-), got (+)\n%s", d)
	}
	targets := matches(t, `target += "(\w+)"`, read(t, gcp+"functions.tf"))
	registered := matches(t, `functions\.HTTP\("(\w+)"`, read(t, "functions/gcf/gcf.go"))
	if d := cmp.Diff(registered, targets); d != "" {
		t.Errorf("functions that the code registers (-), and the module calls (+):\n%s", d)
	}
}

// The rows of the pages are what a reader goes by.
func TestGoogleAndAzureDefaultsAreDocumented(t *testing.T) {
	for _, cloud := range []string{"gcp", "azure"} {
		doc := read(t, "docs/"+cloud+".md")
		for name, value := range variables(t, cloud) {
			shown := map[string]string{
				"": "", "null": "", "{}": "", "[]": "", `["*"]`: "*", `["allUsers"]`: "allUsers",
			}
			want, ok := shown[value]
			if !ok {
				want = value
			}
			row := regexp.MustCompile(`(?m)^\| ` + "`" + name + "`" + ` \|([^|]*)\|`).FindStringSubmatch(doc)
			switch {
			case row == nil:
				t.Errorf("docs/%s.md has no row for %s", cloud, name)
			case want != "" && strings.Trim(row[1], " `") != want:
				t.Errorf("docs/%s.md says that %s is %q by default, the module %q", cloud, name, row[1], want)
			}
		}
	}
}
