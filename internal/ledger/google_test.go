package ledger

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/firestore"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

func TestCallsToCloudStorageByTheirRequests(t *testing.T) {
	seen := map[string]bool{}
	for _, tt := range []struct{ method, target, want string }{
		{"POST", "/upload/storage/v1/b/b/o?uploadType=multipart&name=a%2Fb", "objects.insert"},
		{"POST", "/upload/storage/v1/b/b/o?uploadType=resumable&name=a", "objects.insert"},
		{"PUT", "/upload/storage/v1/b/b/o?uploadType=resumable&upload_id=u", "sessions.write"},
		{"POST", "/upload/storage/v1/b/b/o?uploadType=resumable&upload_id=u", "sessions.write"},
		{"DELETE", "/upload/storage/v1/b/b/o?uploadType=resumable&upload_id=u", "sessions.delete"},
		{"POST", "/storage/v1/b/b/o/a%2Fb/compose", "objects.compose"},
		{"POST", "/storage/v1/b/b/o/a%2Fb/rewriteTo/b/b/o/c", "objects.rewrite"},
		{"GET", "/storage/v1/b/b/o?prefix=a%2F", "objects.list"},
		{"GET", "/storage/v1/b/b/o/a%2Fcompose", "objects.get"},
		{"PATCH", "/storage/v1/b/b/o/a", "objects.patch"},
		{"DELETE", "/storage/v1/b/b/o/a", "objects.delete"},
		{"GET", "/storage/v1/b/b", "buckets.get"},
		{"POST", "/batch/storage/v1", ""},
	} {
		if got := gcsOperation(httptest.NewRequest(tt.method, tt.target, nil)); got != tt.want {
			t.Errorf("%s %s is %q, want %q", tt.method, tt.target, got, tt.want)
		}
		seen[tt.want] = true
	}
	for op := range gcsCalls {
		if !seen[op] {
			t.Errorf("no request makes the call %s", op)
		}
	}
	if got := strings.Join(gcsPermissions("objects.get", 404), " "); got != "storage.objects.get storage.objects.list" {
		t.Errorf("a 404 needs %s: who may not list gets a 403", got)
	}
}

// The ledger's classes are those that the fake counts by.
func TestTheFakeCountsTheSameClasses(t *testing.T) {
	for op, c := range gcsCalls {
		a, b, free := gcsfake.Classes(map[string]int{op: 1})
		if (c.unit == gcsA.name) != (a == 1) || (c.unit == gcsB.name) != (b == 1) || (c.unit == gcsFree) != (free == 1) {
			t.Errorf("%s is billed as %s, and by the fake as %d A, %d B, %d free", op, c.unit, a, b, free)
		}
	}
}

// What is billed is documents, not calls, and a query that finds nothing is a read. The conditions of a write decide what it needs.
func TestDocumentsOnTheWire(t *testing.T) {
	g, l := newGoogle(t, gcsfake.Options{}), New()
	h, err := l.Firestore(g.addr)
	proxied := *g
	proxied.addr = strings.TrimPrefix(front(t, h, err).URL, "http://")
	db, ctx := proxied.database(t), t.Context()
	docs := db.Collection("c")
	one, two := docs.Doc("one"), docs.Doc("two")
	fields := map[string]any{"n": 1}
	var written *firestore.WriteResult
	for _, tt := range []struct {
		name                  string
		do                    func() error
		reads, writes, delete float64
		needs                 string // of datastore.entities
	}{
		{"create", func() (err error) { written, err = one.Create(ctx, fields); return err }, 0, 1, 0, "create"},
		{"write where there is one", func() error {
			_, err := one.Update(ctx, []firestore.Update{{Path: "n", Value: 2}}, firestore.LastUpdateTime(written.UpdateTime))
			return err
		}, 0, 1, 0, "create update"},
		{"update", func() error {
			_, err := one.Update(ctx, []firestore.Update{{Path: "n", Value: 3}})
			return err
		}, 0, 1, 0, "update"},
		{"two at once", func() error {
			_, err := db.Batch().Set(one, fields).Set(two, fields).Commit(ctx) //nolint:staticcheck // it is one Commit, which is what is looked at
			return err
		}, 0, 2, 0, "create update"},
		{"read two, and one that is not there", func() error {
			_, err := db.GetAll(ctx, []*firestore.DocumentRef{one, two, docs.Doc("three")})
			return err
		}, 3, 0, 0, "get"},
		{"query two", func() error { _, err := docs.Where("n", "==", 1).Documents(ctx).GetAll(); return err }, 2, 0, 0, "get list"},
		{"query nothing", func() error { _, err := docs.Where("n", "==", 9).Documents(ctx).GetAll(); return err }, 1, 0, 0, "get list"},
		{"delete", func() error { _, err := one.Delete(ctx); return err }, 0, 0, 1, "delete"},
	} {
		if err := tt.do(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		b := l.Take()
		var needs []string
		for action := range b.Actions {
			needs = append(needs, strings.TrimPrefix(action, "datastore.entities."))
		}
		slices.Sort(needs)
		got := [3]float64{b.Units[docReads.name], b.Units[docWrites.name], b.Units[docDeletes.name]}
		if got != [3]float64{tt.reads, tt.writes, tt.delete} || strings.Join(needs, " ") != tt.needs {
			t.Errorf("%s: %v of %v, needs %q", tt.name, got, b.Calls, needs)
		}
	}
}
