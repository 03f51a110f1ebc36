package ledger

import (
	"io"
	"net/http"
	"strings"
)

// gcsFree is what Cloud Storage does not bill: deletions, and the requests of a resumable upload behind its first.
const gcsFree = "Cloud Storage, deletions and further requests of an upload"

// gcsCalls are the calls to Cloud Storage, named as in its JSON API, by "Operations by class" of its price list and by "IAM
// permissions for JSON methods". "A completed resumable upload is considered one Class A operation" ("Resumable uploads"): here
// the request that begins it is, completed or not. Nothing is ever replaced, which would need a permission to delete.
var gcsCalls = map[string]call{
	"objects.insert":  {gcsA.name, []string{"storage.objects.create"}},
	"objects.compose": {gcsA.name, []string{"storage.objects.create", "storage.objects.get"}},
	"objects.rewrite": {gcsA.name, []string{"storage.objects.create", "storage.objects.get"}},
	"objects.list":    {gcsA.name, []string{"storage.objects.list"}},
	"objects.patch":   {gcsA.name, []string{"storage.objects.get", "storage.objects.update"}},
	"objects.get":     {gcsB.name, []string{"storage.objects.get"}},
	"buckets.get":     {gcsB.name, []string{"storage.buckets.get"}},
	"objects.delete":  {gcsFree, []string{"storage.objects.delete"}},
	"sessions.write":  {gcsFree, []string{"storage.objects.create"}},
	"sessions.delete": {gcsFree, nil},
}

// GCS returns a proxy for the Cloud Storage server at a URL. Answers that are errors are counted as the others are.
func (l *Ledger) GCS(target string) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	p.ModifyResponse = func(resp *http.Response) error {
		op := gcsOperation(resp.Request)
		l.enter(func(b *Bill) {
			b.called("gcs", op, gcsPermissions(op, resp.StatusCode)...)
			b.Units[gcsCalls[op].unit]++
		})
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := gcsOperation(r)
		if _, ok := gcsCalls[op]; !ok {
			http.Error(w, "the ledger does not know what this is billed as: "+r.Method+" "+r.URL.String(), http.StatusNotImplemented)
			return
		}
		l.before(op)
		r.Body = &weighed{r.Body, l}
		p.ServeHTTP(w, r)
	}), nil
}

// A weighed body counts its bytes as they pass.
type weighed struct {
	io.ReadCloser
	ledger *Ledger
}

func (w *weighed) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.ledger.enter(func(b *Bill) { b.Sent += int64(n) })
	return n, err
}

// gcsOperation names the call that a request to the JSON API makes, or "". An object's name is one part of the path.
func gcsOperation(r *http.Request) string {
	path, upload := strings.CutPrefix(r.URL.EscapedPath(), "/upload")
	parts := strings.Split(strings.TrimPrefix(path, "/storage/v1/b/"), "/") // bucket, "o", object, verb
	switch n := len(parts); {
	case upload && r.URL.Query().Get("upload_id") == "" && r.Method == http.MethodPost:
		return "objects.insert"
	case upload && r.Method == http.MethodDelete:
		return "sessions.delete"
	case upload:
		return "sessions.write"
	case n >= 4 && parts[3] == "compose":
		return "objects.compose"
	case n >= 4 && parts[3] == "rewriteTo":
		return "objects.rewrite"
	case n == 3 && r.Method == http.MethodDelete:
		return "objects.delete"
	case n == 3 && r.Method == http.MethodPatch:
		return "objects.patch"
	case n == 3 && r.Method == http.MethodGet:
		return "objects.get"
	case n == 2 && r.Method == http.MethodGet:
		return "objects.list"
	case n == 1 && r.Method == http.MethodGet:
		return "buckets.get"
	}
	return ""
}

// gcsPermissions returns what a role must have for a call that was answered with a status. Of what is not there Cloud Storage answers 404
// to those who may list the bucket, and 403 to others; the driver has to be told the truth.
func gcsPermissions(op string, status int) []string {
	actions := gcsCalls[op].actions
	if status == http.StatusNotFound {
		actions = append(actions[:len(actions):len(actions)], "storage.objects.list")
	}
	return actions
}
