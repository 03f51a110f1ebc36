package gcsfake

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// insert is objects.insert in its three forms: https://cloud.google.com/storage/docs/json_api/v1/objects/insert.
func (s *Server) insert(r *http.Request) (*answer, error) {
	q := query(r)
	if q.Get("upload_id") != "" {
		return s.writeSession(r)
	}
	c, err := parseConditions(q, "if")
	if err != nil {
		return nil, err
	}
	u := &incoming{bucket: r.PathValue("bucket"), conds: c, content: s.newContent()}
	u.res.Name = q.Get("name")
	switch q.Get("uploadType") {
	case "media":
		u.res.ContentType = r.Header.Get("Content-Type")
		err = u.read(r.Body, false, 0)
	case "multipart":
		err = u.readMultipart(r)
	case "resumable":
		return s.beginSession(r, u)
	default:
		return nil, fail(http.StatusBadRequest, "badRequest", "Upload requests must include an uploadType URL parameter")
	}
	if err != nil {
		return nil, fail(http.StatusBadRequest, "badContent", "the body broke off: %v", err)
	}
	u.hash(r.Header)
	o, err := s.store(u)
	if err != nil {
		return nil, err
	}
	return &answer{json: o.res}, nil
}

// incoming is an object on its way.
type incoming struct {
	bucket string
	conds  conditions
	res    resource // as the client wants it
	content
}

// name is what the object is to be called: the query counts, and the metadata where it says nothing.
func (u *incoming) merge(body io.Reader) error {
	name := u.res.Name
	if err := json.NewDecoder(body).Decode(&u.res); err != nil && err != io.EOF {
		return err
	}
	if name != "" {
		u.res.Name = name
	}
	return nil
}

// readMultipart reads multipart/related: the metadata as JSON, then the bytes
// (https://cloud.google.com/storage/docs/uploading-objects-from-memory, "multipart").
func (u *incoming) readMultipart(r *http.Request) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	m := multipart.NewReader(r.Body, params["boundary"])
	p, err := m.NextPart()
	if err != nil {
		return err
	}
	if err := u.merge(p); err != nil {
		return err
	}
	if p, err = m.NextPart(); err != nil {
		return err
	}
	if u.res.ContentType == "" {
		u.res.ContentType = p.Header.Get("Content-Type")
	}
	if err := u.read(p, false, 0); err != nil {
		return err
	}
	if _, err := m.NextPart(); err != io.EOF {
		return io.ErrUnexpectedEOF // the closing boundary is what tells that nothing is missing
	}
	return nil
}

// hash takes over the checksums of an X-Goog-Hash header (https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash).
func (u *incoming) hash(h http.Header) {
	for _, line := range h.Values("X-Goog-Hash") {
		for pair := range strings.SplitSeq(line, ",") {
			switch kind, sum, _ := strings.Cut(strings.TrimSpace(pair), "="); kind {
			case "crc32c":
				u.res.CRC32C = sum
			case "md5":
				u.res.MD5Hash = sum
			}
		}
	}
}

// store makes an object of what has arrived: it must be what the checksums say, and the conditions must hold now.
func (s *Server) store(u *incoming) (*object, error) {
	if u.res.Name == "" || len(u.res.Name) > 1024 {
		return nil, fail(http.StatusBadRequest, "required", "Required: an object name of 1 to 1024 bytes")
	}
	want := u.res
	o := &object{res: u.res, data: u.data, size: u.size}
	o.res.MD5Hash = base64.StdEncoding.EncodeToString(u.md5.Sum(nil))
	o.setCRC(u.crc)
	if err := compare(want, &o.res); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, err := s.bucket(u.bucket)
	if err != nil {
		return nil, err
	}
	if err := u.conds.check(objects[want.Name], false); err != nil {
		return nil, err
	}
	return s.put(u.bucket, want.Name, o)
}

// compare holds the checksums that a client sent against those of what came
// (https://cloud.google.com/storage/docs/data-validation, "Server-side validation").
func compare(want resource, have *resource) error {
	if want.CRC32C != "" && want.CRC32C != have.CRC32C {
		return fail(http.StatusBadRequest, "invalid", "Provided CRC32C %q doesn't match calculated CRC32C %q.", want.CRC32C, have.CRC32C)
	}
	if want.MD5Hash != "" && want.MD5Hash != have.MD5Hash && have.MD5Hash != "" {
		return fail(http.StatusBadRequest, "invalid", "Provided MD5 hash %q doesn't match calculated MD5 hash %q.", want.MD5Hash, have.MD5Hash)
	}
	return nil
}
