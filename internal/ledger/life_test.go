package ledger

import (
	"bytes"
	"net/http"
	"path"
	"strconv"
	"testing"
	"time"
)

const (
	lease      = time.Second
	expiration = 3 * time.Second
)

// A life leads uploads through all that the two functions do, each function behind a ledger of its own.
type life struct {
	t    *testing.T
	url  string // of the collection
	wire *Ledger

	kill   string // the call to the store at which the function is killed next, instead of being answered
	die    func() // kills it
	revive func() // starts it again where nobody else does
}

// before kills the function when it makes the call that is waited for.
func (f *life) before(op string) {
	if op != f.kill {
		return
	}
	f.kill = ""
	f.die()
	panic(http.ErrAbortHandler) // the call does not arrive
}

// upload creates an upload and sends it in bodies of at most 4 MiB.
func (f *life) upload(size, sent int, headers ...string) string {
	f.t.Helper()
	url := create(f.t, f.url, append([]string{"Upload-Length", strconv.Itoa(size)}, headers...)...)
	f.send(url, 0, sent)
	return url
}

func (f *life) send(url string, from, to int) {
	f.t.Helper()
	for off := from; off < to; off += 4 * mib {
		want(f.t, patch(f.t, url, off, bytes.Repeat([]byte{'x'}, min(4*mib, to-off))), http.StatusNoContent)
	}
}

func (f *life) do(method, url string, status int) *http.Response {
	f.t.Helper()
	resp := send(f.t, method, url, nil)
	want(f.t, resp, status)
	return resp
}

// fatal sends a body whose PATCH the function does not survive: it is killed at a call to the store.
func (f *life) fatal(url string, offset int, op string) {
	f.t.Helper()
	f.kill = op
	if resp := patch(f.t, url, offset, make([]byte, 4*mib)); resp.StatusCode < 500 {
		f.t.Errorf("a killed function answered %s", resp.Status)
	}
	f.revive()
}

// killed has the function die in two PATCHes: where it stores a body, and where it completes. The client goes on after the first; of
// the other upload all is there but the object. Both URLs are returned.
func (f *life) killed(stores, completes string) (done, sealed string) {
	f.t.Helper()
	done = f.upload(12*mib, 4*mib)
	f.fatal(done, 4*mib, stores)
	time.Sleep(lease)
	resp := f.do(http.MethodHead, done, http.StatusOK)
	if off := resp.Header.Get("Upload-Offset"); off != strconv.Itoa(4*mib) {
		f.t.Fatalf("the offset is %s", off)
	}
	f.send(done, 4*mib, 12*mib)

	sealed = f.upload(12*mib, 8*mib)
	f.fatal(sealed, 8*mib, completes)
	return done, sealed
}

func idOf(url string) string { return path.Base(url) }
