package azurestore

import (
	"cmp"
	"crypto/md5" //nolint:gosec // Azure's own checksum of blobs, not a secret's
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// source returns the blob that a request reads from, and its name.
func (f *fake) source(r *fakeRequest) (*fakeBlob, string, *fakeReply) {
	from, _ := url.Parse(r.header.Get("X-Ms-Copy-Source"))
	name := strings.SplitN(strings.TrimPrefix(from.Path, "/"), "/", 3)[2] // behind account and container
	b := f.blob(name)
	no := refusal(http.StatusNotFound, "BlobNotFound")
	switch match := r.header.Get("X-Ms-Source-If-Match"); {
	case b == nil && f.verify:
		no = refusal(http.StatusNotFound, "CannotVerifyCopySource")
	case b == nil:
	case match != "" && match != b.etag:
		no = refusal(http.StatusPreconditionFailed, "SourceConditionNotMet")
	default:
		return b, name, nil
	}
	return nil, name, &no
}

func (f *fake) putBlockFromURL(r *fakeRequest) fakeReply {
	src, _, no := f.source(r)
	if no != nil {
		return *no
	}
	data := src.data()
	var from, to int
	if n, _ := fmt.Sscanf(r.header.Get("X-Ms-Source-Range"), "bytes=%d-%d", &from, &to); n != 2 || from >= len(data) || to < from {
		return refusal(http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
	}
	if _, ok := f.joins[r.name]; !ok {
		f.joins[r.name] = len(f.joins) + 1
	}
	return f.stage(r.name, r.query.Get("blockid"), data[from:min(to+1, len(data))])
}

// copyBlob begins a copy. The blob that it is to become is there at once, with its metadata and without bytes.
func (f *fake) copyBlob(r *fakeRequest) fakeReply {
	src, from, noSource := f.source(r)
	no := f.condition(r)
	switch {
	case noSource != nil && (f.sourceFirst || no == nil):
		return *noSource
	case no != nil:
		return *no
	}
	f.count++
	c := &fakeCopy{id: fmt.Sprintf("copy-%d", f.count), status: "pending", from: from, etag: src.etag, blocks: src.blocks, until: time.Now()}
	if f.slow != nil {
		var takes time.Duration
		takes, c.fails = f.slow()
		c.until = c.until.Add(takes)
	}
	f.blobs[r.name] = &fakeBlob{committed: true, etag: f.etag(), made: time.Now(), header: src.header, copy: c}
	f.elapse()
	return fakeReply{status: http.StatusAccepted, header: http.Header{"X-Ms-Copy-Id": {c.id}, "X-Ms-Copy-Status": {c.status}}}
}

// abortCopy leaves a blob without bytes.
func (f *fake) abortCopy(r *fakeRequest) fakeReply {
	b := f.blob(r.name)
	switch {
	case b == nil:
		return refusal(http.StatusNotFound, "BlobNotFound")
	case b.copy == nil || b.copy.status != "pending":
		return refusal(http.StatusConflict, "NoPendingCopyOperation")
	case b.copy.id != r.query.Get("copyid"):
		return refusal(http.StatusConflict, "CopyIdMismatch")
	}
	b.copy.status, b.etag = "aborted", f.etag()
	return fakeReply{status: http.StatusNoContent}
}

func (f *fake) getBlob(r *fakeRequest) fakeReply {
	b := f.blob(r.name)
	if b == nil {
		return refusal(http.StatusNotFound, "BlobNotFound")
	}
	if match := r.header.Get("If-Match"); match != "" && match != b.etag {
		return refusal(http.StatusPreconditionFailed, "ConditionNotMet")
	}
	data, h := b.data(), b.header.Clone()
	h.Set("ETag", b.etag)
	h.Set("Last-Modified", b.made.UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if c := b.copy; c != nil {
		h.Set("X-Ms-Copy-Id", c.id)
		h.Set("X-Ms-Copy-Status", c.status)
	}
	if r.op == "GetBlobProperties" {
		return fakeReply{status: http.StatusOK, header: h}
	}
	var from, to int
	if n, _ := fmt.Sscanf(cmp.Or(r.header.Get("X-Ms-Range"), r.header.Get("Range")), "bytes=%d-%d", &from, &to); n != 2 || from >= len(data) {
		return refusal(http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
	}
	part := data[from:min(to+1, len(data))]
	h.Set("Content-Length", strconv.Itoa(len(part)))
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+len(part)-1, len(data)))
	return fakeReply{status: http.StatusPartialContent, header: h, body: part}
}

func (f *fake) deleteBlob(r *fakeRequest) fakeReply {
	b := f.blob(r.name)
	if b == nil {
		return refusal(http.StatusNotFound, "BlobNotFound")
	}
	if no := f.condition(r); no != nil {
		return *no
	}
	delete(f.blobs, r.name)
	if f.keepStaged && len(b.staged) > 0 {
		f.blobs[r.name] = &fakeBlob{staged: b.staged, stagedAt: b.stagedAt, made: b.stagedAt, etag: f.etag()}
	}
	return fakeReply{status: http.StatusAccepted}
}

type fakeItem struct {
	Name       string
	Properties struct {
		LastModified string `xml:"Last-Modified,omitempty"`
		ETag         string `xml:"Etag"`
		Length       int    `xml:"Content-Length"`
		BlobType     string
	}
}

// listBlobs names blobs, with those that have nothing but staged blocks where that is asked for.
func (f *fake) listBlobs(r *fakeRequest) fakeReply {
	var page struct {
		XMLName    xml.Name   `xml:"EnumerationResults"`
		Items      []fakeItem `xml:"Blobs>Blob"`
		NextMarker string
	}
	most, _ := strconv.Atoi(cmp.Or(r.query.Get("maxresults"), "5000"))
	for _, name := range slices.Sorted(maps.Keys(f.blobs)) {
		b := f.blobs[name]
		if !strings.HasPrefix(name, r.query.Get("prefix")) || name < r.query.Get("marker") ||
			!b.committed && !strings.Contains(r.query.Get("include"), "uncommittedblobs") {
			continue
		}
		if len(page.Items) == most {
			page.NextMarker = name
			break
		}
		item := fakeItem{Name: name}
		item.Properties.ETag, item.Properties.BlobType, item.Properties.Length = b.etag, "BlockBlob", len(b.data())
		if b.committed || !f.untimed {
			item.Properties.LastModified = b.made.UTC().Format(http.TimeFormat)
		}
		page.Items = append(page.Items, item)
	}
	body, err := xml.Marshal(page)
	if err != nil {
		panic(err)
	}
	return fakeReply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/xml"}}, body: body}
}

// pieces lists what is there of an id in all its lives, signs apart, and staged blocks of which lists do not tell how old they are: nobody
// can do anything about these, and the store drops them.
func (f *fake) pieces(s *Store, id tus.ID) (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.elapse()
	for _, name := range slices.Sorted(maps.Keys(f.blobs)) {
		b := f.blobs[name]
		l, piece, ok := s.parsePiece(name)
		if ok && l.id == id && piece != signName && (b.committed || !f.untimed) || name == "o/"+string(id) {
			names = append(names, name)
		}
	}
	return names
}

// seen returns what was noticed.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.violations)
}

// number tells joins from each other whose names are left to chance.
func (f *fake) number(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.joins[name]
}

// refusal is an answer that says why nothing was done.
func refusal(status int, code string) fakeReply {
	return fakeReply{status: status, header: http.Header{"X-Ms-Error-Code": {code}}}
}

func (f *fake) putBlob(r *fakeRequest) fakeReply {
	if no := f.condition(r); no != nil {
		return *no
	}
	return f.put(r, []fakeBlock{{"", r.body}})
}

func (b *fakeBlob) data() (all []byte) {
	for _, k := range b.blocks {
		all = append(all, k.data...)
	}
	return all
}

// sound reports whether a blob has the bytes that its Content-MD5 says, if it has one.
func (b *fakeBlob) sound() bool {
	sum := md5.Sum(b.data())
	want := b.header.Get("Content-Md5")
	return want == "" || want == base64.StdEncoding.EncodeToString(sum[:])
}
