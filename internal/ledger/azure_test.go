package ledger

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCallsToAzureBlobsByTheirRequests(t *testing.T) {
	seen := map[string]bool{}
	for _, tt := range []struct{ method, target, copies, want string }{
		{"PUT", "/a/c/dir/b?comp=block&blockid=x", "", "PutBlock"},
		{"PUT", "/a/c/dir/b?comp=block&blockid=x", "http://s/a/c/x", "PutBlockFromURL"},
		{"PUT", "/a/c/b?comp=blocklist", "", "PutBlockList"},
		{"PUT", "/a/c/b", "", "PutBlob"},
		{"PUT", "/a/c/b", "http://s/a/c/x", "CopyBlob"},
		{"PUT", "/a/c/b?comp=copy&copyid=x", "", "AbortCopyBlob"},
		{"GET", "/a/c?restype=container&comp=list&prefix=p", "", "ListBlobs"},
		{"GET", "/a/c?restype=container", "", "GetContainerProperties"},
		{"GET", "/a/c/b", "", "GetBlob"},
		{"HEAD", "/a/c/b", "", "GetBlobProperties"},
		{"DELETE", "/a/c/b", "", "DeleteBlob"},
		{"POST", "/a/?restype=service&comp=userdelegationkey", "", "GetUserDelegationKey"},
		{"GET", "/a/c/b?comp=blocklist", "", ""},
		{"PUT", "/a/c/b?comp=tags", "", ""},
		{"PUT", "/a/c?restype=container", "", ""},
	} {
		r := httptest.NewRequest(tt.method, tt.target, nil)
		if tt.copies != "" {
			r.Header.Set("X-Ms-Copy-Source", tt.copies)
		}
		if got := blobOperation(r); got != tt.want {
			t.Errorf("%s %s is %q, want %q", tt.method, tt.target, got, tt.want)
		}
		seen[tt.want] = true
	}
	for op := range blobCalls {
		if !seen[op] {
			t.Errorf("no request makes the call %s", op)
		}
	}
}

func TestCallsToAzureTablesByTheirRequests(t *testing.T) {
	const one = "/a/t(PartitionKey='p',RowKey='r')"
	seen := map[string]bool{}
	for _, tt := range []struct{ method, path, condition, want string }{
		{"GET", one, "", "GetEntity"},
		{"GET", "/a/t()", "", "QueryEntities"},
		{"POST", "/a/t", "", "InsertEntity"},
		{"PUT", one, "x", "UpdateEntity"},
		{"PATCH", one, "x", "UpdateEntity"},
		{"PUT", one, "", "InsertOrReplaceEntity"},
		{"DELETE", one, "*", "DeleteEntity"},
		{"POST", "/a/$batch", "", "Transaction"},
		{"POST", "/a/Tables", "", ""},
		{"GET", "/a/Tables", "", ""},
	} {
		if got := tableOperation(tt.method, tt.path, tt.condition); got != tt.want {
			t.Errorf("%s %s is %q, want %q", tt.method, tt.path, got, tt.want)
		}
		seen[tt.want] = true
	}
	for op := range tableCalls {
		if !seen[op] {
			t.Errorf("no request makes the call %s", op)
		}
	}
}

func TestATransactionIsAsMuchAsItsParts(t *testing.T) {
	body := strings.ReplaceAll(`--batch_1
Content-Type: multipart/mixed; boundary=changeset_1

--changeset_1
Content-Type: application/http

PUT http://127.0.0.1:1/a/t(PartitionKey='p',RowKey='r') HTTP/1.1
if-match: W/"x"
Content-Type: application/json

{"text":"POST http://is/no/request HTTP/1.1"}
--changeset_1
Content-Type: application/http

POST http://127.0.0.1:1/a/t HTTP/1.1
Accept: application/json

{}
--changeset_1
Content-Type: application/http

DELETE http://127.0.0.1:1/a/t(PartitionKey='p',RowKey='s') HTTP/1.1
If-Match: *

--changeset_1--
--batch_1--
`, "\n", "\r\n")
	parts, actions := transaction([]byte(body))
	slices.Sort(actions)
	if d := cmp.Diff([]string{"entities/add/action", "entities/delete", "entities/update/action"}, actions); d != "" || parts != 3 {
		t.Errorf("%d parts (-want +got):\n%s", parts, d)
	}
}

// What the ledger cannot name is not passed on: it would cost, and nobody would see it.
func TestUnknownCallsAreRefused(t *testing.T) {
	l := New()
	for name, make := range map[string]func(string) (http.Handler, error){
		"/a/c/b?comp=tags": l.AzureBlobs, "/a/Tables": l.AzureTables, "/batch/storage/v1": l.GCS, "/google.firestore.v1.Firestore/Write": l.Firestore,
	} {
		h, err := make(strings.TrimPrefix("http://127.0.0.1:1", map[bool]string{true: "http://"}[strings.HasPrefix(name, "/google")]))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, name, nil))
		if w.Code != http.StatusNotImplemented {
			t.Errorf("%s is answered %d", name, w.Code)
		}
	}
}
