package azurestore

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// A call is a request on its way to the store.
type call struct {
	op   string // as Azure's documentation names it
	name string // of the blob, as it stands in the URL
	req  *http.Request
}

// A fault is what the network, or the store, does to a call.
type fault int

const (
	none fault = iota
	lost       // the request does not arrive
	void       // it is done, and the answer is lost
	busy       // 503
)

// wire lies between the client library and the server. It counts requests, and can lose them.
type wire struct {
	mu   sync.Mutex
	used map[string]int
	plan func(call) fault                   // before a call; it may do something first
	edit func(call, *http.Response)         // an answer
	play func(call) (*http.Response, error) // instead of the server, where it answers at all
}

var transport = &http.Transport{MaxIdleConnsPerHost: 64}

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	c := callOf(req)
	w.mu.Lock()
	if w.used == nil {
		w.used = map[string]int{}
	}
	w.used[c.op]++
	plan, edit, play := w.plan, w.edit, w.play
	w.mu.Unlock()
	f := none
	if plan != nil {
		f = plan(c)
	}
	switch f {
	case lost:
		return nil, broken(req, "the connection broke")
	case busy:
		return answer(req, http.StatusServiceUnavailable, "ServerBusy"), nil
	}
	if play != nil {
		if res, err := play(c); res != nil || err != nil {
			return res, err
		}
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if f == void {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return nil, broken(req, "the connection broke before the answer")
	}
	if edit != nil {
		edit(c, res)
	}
	return res, nil
}

// broken is the kind of error that http.Client returns.
func broken(req *http.Request, what string) error {
	return &url.Error{Op: req.Method, URL: req.URL.Path, Err: errors.New("injected: " + what)}
}

func callOf(req *http.Request) call {
	from := false
	for name := range req.Header { // the SDK writes names in small letters
		from = from || strings.EqualFold(name, "x-ms-copy-source")
	}
	comp := req.URL.Query().Get("comp")
	c := call{op: req.Method + " " + comp, req: req}
	switch {
	case req.Method == "PUT" && comp == "block" && from:
		c.op = "PutBlockFromURL"
	case req.Method == "PUT" && comp == "block":
		c.op = "PutBlock"
	case req.Method == "PUT" && comp == "blocklist":
		c.op = "PutBlockList"
	case req.Method == "PUT" && comp == "copy":
		c.op = "AbortCopy"
	case req.Method == "PUT" && comp == "" && from:
		c.op = "CopyBlob"
	case req.Method == "PUT" && comp == "":
		c.op = "PutBlob"
	case req.Method == "GET" && comp == "list":
		c.op = "ListBlobs"
	case req.Method == "GET" && comp == "":
		c.op = "GetBlob"
	case req.Method == "HEAD":
		c.op = "GetBlobProperties"
	case req.Method == "DELETE":
		c.op = "DeleteBlob"
	}
	if f := strings.SplitN(strings.TrimPrefix(req.URL.Path, "/"), "/", 3); len(f) == 3 {
		c.name = f[2] // behind account and container
	}
	return c
}

func answer(req *http.Request, status int, code string) *http.Response {
	h := http.Header{}
	if code != "" {
		h.Set("x-ms-error-code", code)
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: h, Body: http.NoBody, Request: req, ProtoMajor: 1, ProtoMinor: 1,
	}
}

// take returns how often which request was sent since it was last called.
func (w *wire) take() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	used := maps.Clone(w.used)
	clear(w.used)
	return used
}

// billed sorts requests as Azure bills them: writes, with lists, and reads. Deletions are free.
func billed(used map[string]int) (writes, reads int) {
	for op, n := range used {
		switch op {
		case "GetBlob", "GetBlobProperties":
			reads += n
		case "DeleteBlob":
		default:
			writes += n
		}
	}
	return writes, reads
}

func (w *wire) set(do func(*wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(w)
}
