package azurestore

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// fake is a container of block blobs in memory, as Azure's documentation describes them. It writes down what Azure would silently take
// and this driver must never do.
type fake struct {
	ways

	mu         sync.Mutex
	blobs      map[string]*fakeBlob
	count      int               // of ETags, and of copies
	written    map[string]string // each block that was ever staged, by blob and id
	joins      map[string]int    // blobs into which others were joined, in the order of their first blocks
	violations []string
}

// ways are those that the documentation leaves open, or that differ between accounts.
type ways struct {
	listFirst   bool                         // Put Block List looks for the blocks before it looks at the condition
	sourceFirst bool                         // Copy Blob looks at the source's condition before the destination's
	verify      bool                         // a source that is not there cannot be verified
	keepStaged  bool                         // Delete Blob leaves what is staged on a blob
	sturdy      bool                         // a copy goes on, whatever becomes of its source
	untimed     bool                         // List Blobs does not tell how old staged blocks are
	slow        func() (time.Duration, bool) // how long a copy takes, and whether it then fails; nil: each ends at once
}

type fakeBlob struct {
	committed bool // false: there are staged blocks alone, and the blob is not there
	blocks    []fakeBlock
	staged    map[string][]byte
	stagedAt  time.Time // the last of them
	etag      string
	made      time.Time
	header    http.Header // metadata, and what else was given to it
	copy      *fakeCopy
}

type fakeBlock struct {
	id   string
	data []byte
}

// A fakeCopy is the last one that a blob was the destination of.
type fakeCopy struct {
	id, status, from, etag string
	blocks                 []fakeBlock
	until                  time.Time
	fails                  bool
}

type fakeRequest struct {
	call
	header http.Header
	query  url.Values
	body   []byte
}

type fakeReply struct {
	status int
	header http.Header
	body   []byte
}

func newFake(w ways) *fake {
	return &fake{ways: w, blobs: map[string]*fakeBlob{}, written: map[string]string{}, joins: map[string]int{}}
}

// arrived reads a request. It does so in the caller's time. Its headers are those of this attempt.
func arrived(req *http.Request) (fakeRequest, error) {
	r := fakeRequest{call: callOf(req), header: http.Header{}, query: req.URL.Query()}
	r.req = nil
	for k, v := range req.Header {
		r.header[textproto.CanonicalMIMEHeaderKey(k)] = slices.Clone(v)
	}
	if req.Body == nil {
		return r, nil
	}
	var err error
	r.body, err = io.ReadAll(req.Body)
	return r, err
}

func (r fakeReply) response(req *http.Request) *http.Response {
	h := r.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	size := int64(len(r.body))
	if req.Method == http.MethodHead && r.status == http.StatusOK {
		_, _ = fmt.Sscan(h.Get("Content-Length"), &size)
	}
	return &http.Response{
		StatusCode: r.status, Status: http.StatusText(r.status), Header: h, Body: io.NopCloser(strings.NewReader(string(r.body))),
		ContentLength: size, Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// Do implements policy.Transporter.
func (f *fake) Do(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r, err := arrived(req)
	if err != nil {
		return nil, err
	}
	return f.serve(&r).response(req), nil
}

// serve answers a request.
func (f *fake) serve(r *fakeRequest) fakeReply {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.elapse()
	switch r.op {
	case "GetBlob":
		if r.query.Get("restype") == "container" {
			return fakeReply{status: http.StatusOK}
		}
		return f.getBlob(r)
	case "PutBlock":
		return f.putBlock(r)
	case "PutBlockFromURL":
		return f.putBlockFromURL(r)
	case "PutBlockList":
		return f.putBlockList(r)
	case "PutBlob":
		return f.putBlob(r)
	case "CopyBlob":
		return f.copyBlob(r)
	case "AbortCopy":
		return f.abortCopy(r)
	case "GetBlobProperties":
		return f.getBlob(r)
	case "DeleteBlob":
		return f.deleteBlob(r)
	case "ListBlobs":
		return f.listBlobs(r)
	}
	f.violations = append(f.violations, "a request that is not known: "+r.op)
	return refusal(http.StatusNotImplemented, "NotImplemented")
}

// elapse does what time does: copies end, and staged blocks are dropped a week after the last one; but not where the driver can see how
// old they are, and should not need that.
func (f *fake) elapse() {
	now := time.Now()
	for name, b := range f.blobs {
		if f.untimed && len(b.staged) > 0 && now.Sub(b.stagedAt) >= 7*24*time.Hour {
			if b.staged = nil; !b.committed {
				delete(f.blobs, name)
			}
		}
	}
	for _, b := range f.blobs {
		c := b.copy
		if c == nil || c.status != "pending" {
			continue
		}
		src := f.blobs[c.from]
		same := f.sturdy || src != nil && src.committed && src.etag == c.etag
		switch {
		case now.Before(c.until) && same:
		case c.fails || !same: // who changes a source while it is copied ends the copy
			c.status, b.etag = "failed", f.etag()
		default:
			c.status, b.etag, b.blocks = "success", f.etag(), c.blocks
		}
	}
}

func (f *fake) etag() string {
	f.count++
	return fmt.Sprintf(`"0x%d"`, f.count)
}

// blob returns one that is there.
func (f *fake) blob(name string) *fakeBlob {
	if b := f.blobs[name]; b != nil && b.committed {
		return b
	}
	return nil
}

// condition says what keeps a write from being done.
func (f *fake) condition(r *fakeRequest) *fakeReply {
	b := f.blob(r.name)
	var no fakeReply
	switch match := r.header.Get("If-Match"); {
	case b != nil && b.copy != nil && b.copy.status == "pending":
		no = refusal(http.StatusConflict, "PendingCopyOperation")
	case r.header.Get("If-None-Match") == "*" && b != nil:
		no = refusal(http.StatusConflict, "BlobAlreadyExists")
	case match != "" && (b == nil || b.etag != match):
		no = refusal(http.StatusPreconditionFailed, "ConditionNotMet")
	default:
		return nil
	}
	return &no
}

func (f *fake) putBlock(r *fakeRequest) fakeReply {
	if want, err := base64.StdEncoding.DecodeString(r.header.Get("X-Ms-Content-Crc64")); err != nil || len(want) != 8 ||
		binary.LittleEndian.Uint64(want) != crc64.Checksum(r.body, azureCRC64) {
		return refusal(http.StatusBadRequest, "Crc64Mismatch")
	}
	return f.stage(r.name, r.query.Get("blockid"), r.body)
}

// stage keeps a block. All of a blob's have ids of one length.
func (f *fake) stage(name, id string, data []byte) fakeReply {
	b := f.blobs[name]
	if b == nil {
		b = &fakeBlob{made: time.Now(), etag: f.etag()}
		f.blobs[name] = b
	}
	for other := range b.staged {
		if len(other) != len(id) {
			return refusal(http.StatusBadRequest, "InvalidBlobOrBlock")
		}
	}
	if b.staged == nil {
		b.staged = map[string][]byte{}
	}
	if old, ok := f.written[name+" "+id]; ok && old != string(data) {
		f.violations = append(f.violations, fmt.Sprintf("block %s of %s was written twice", id, name))
	}
	f.written[name+" "+id] = string(data)
	b.staged[id], b.stagedAt = data, time.Now()
	return fakeReply{status: http.StatusCreated}
}

func (f *fake) putBlockList(r *fakeRequest) fakeReply {
	var list struct {
		Latest []string `xml:"Latest"`
	}
	if err := xml.Unmarshal(r.body, &list); err != nil {
		return refusal(http.StatusBadRequest, "InvalidXmlDocument")
	}
	blocks, ok := f.named(r.name, list.Latest)
	no := f.condition(r)
	switch {
	case !ok && (f.listFirst || no == nil):
		return refusal(http.StatusBadRequest, "InvalidBlockList")
	case no != nil:
		return *no
	}
	return f.put(r, blocks)
}

// named returns blocks, of those that are staged on a blob and those that are in it.
func (f *fake) named(name string, ids []string) ([]fakeBlock, bool) {
	b := f.blobs[name]
	var blocks []fakeBlock
	for _, id := range ids {
		if b == nil {
			return nil, false
		}
		data, ok := b.staged[id]
		if i := slices.IndexFunc(b.blocks, func(k fakeBlock) bool { return k.id == id }); !ok && i >= 0 {
			data, ok = b.blocks[i].data, true
		}
		if !ok {
			return nil, false
		}
		blocks = append(blocks, fakeBlock{id, data})
	}
	return blocks, true
}

// put makes a blob. What was staged on it and is not named is dropped.
func (f *fake) put(r *fakeRequest, blocks []fakeBlock) fakeReply {
	h := http.Header{}
	for k, v := range r.header {
		if rest, ok := strings.CutPrefix(k, "X-Ms-Blob-Content-"); ok {
			h["Content-"+rest] = v
		} else if strings.HasPrefix(k, "X-Ms-Meta-") {
			h[k] = v
		}
	}
	b := &fakeBlob{committed: true, blocks: blocks, etag: f.etag(), made: time.Now(), header: h}
	f.blobs[r.name] = b
	return fakeReply{status: http.StatusCreated, header: http.Header{"Etag": {b.etag}}}
}
