package deploy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Another test sees what goes over the wire; this one says it for the reader.
func TestEachGoogleRoleIsWhatTheCodeCalls(t *testing.T) {
	const entities = "datastore.entities."
	want := map[string][]string{
		"objects":  {"storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"},
		"endpoint": {entities + "create", entities + "delete", entities + "get", entities + "update"},
		"sweeper":  {entities + "create", entities + "delete", entities + "get", entities + "list", entities + "update"},
		"signer":   {"iam.serviceAccounts.signBlob"},
	}
	got, err := GooglePermissions(root)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestTheReaderOfGoogleRolesIsNotBlind(t *testing.T) {
	file := read(t, gcp+"policy.tf")
	plain, err := googleRoles(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct{ old, new string }{
		{`"storage.objects.list"`, `"storage.objects.update"`},
		{`"datastore.entities.delete", `, ``},
	} {
		changed := strings.Replace(file, change.old, change.new, 1)
		if got, err := googleRoles(changed); changed == file || err != nil || cmp.Equal(got, plain) {
			t.Errorf("%q in place of %q is not seen: %v", change.new, change.old, err)
		}
	}
	for _, old := range []string{"  roles = {", "    sweeper = [", "    signer = ["} {
		changed := strings.Replace(file, old, strings.Replace(old, "r", "x", 1), 1)
		if _, err := googleRoles(changed); changed == file || err == nil {
			t.Errorf("that there is no %q is no error", old)
		}
	}
}

// Which account has which roles is not in the reader's list, but in its words.
func TestGoogleRolesAreBoundAsTheReaderSays(t *testing.T) {
	file := read(t, gcp+"policy.tf")
	for resource, want := range map[string][]string{
		`resource "google_storage_bucket_iam_member" "objects" {`:       {`toset(["endpoint", "sweeper"])`, `.this["objects"].name`},
		`resource "google_project_iam_member" "records" {`:              {`toset(["endpoint", "sweeper"])`, `role    = google_project_iam_custom_role.this[each.value].name`},
		`resource "google_service_account_iam_member" "signer" {`:       {`.this["signer"].name`, `.this["endpoint"].member`},
		`resource "google_cloud_run_v2_service_iam_member" "sweeper" {`: {`"roles/run.invoker"`, `.this["scheduler"].member`},
	} {
		text, err := braces(file, resource)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not have %s", resource, w)
			}
		}
	}
	if n := strings.Count(file, "_iam_member\" \""); n != 5 {
		t.Errorf("%d bindings, of which this test knows 5", n)
	}
}
