package tus

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// tus1 is tus 1.0.0 with its extensions, https://tus.io/protocols/resumable-upload.
type tus1 struct{}

const (
	tusVersion     = "1.0.0"
	tusContentType = "application/offset+octet-stream"
)

// checkVersion holds Tus-Resumable against the one version that is spoken here.
func checkVersion(x *exchange) error {
	if v := x.r.Header.Values("Tus-Resumable"); len(v) != 1 || v[0] != tusVersion {
		return refuse(codeVersion, "the request must say Tus-Resumable: "+tusVersion)
	}
	return nil
}

func (tus1) options(x *exchange) {
	hd := x.w.Header()
	o := &x.h.opt
	hd.Set("Tus-Resumable", tusVersion)
	hd.Set("Tus-Version", tusVersion)
	if ext := x.h.extensions(); len(ext) > 0 {
		hd.Set("Tus-Extension", strings.Join(ext, ","))
	}
	if o.MaxSize > 0 {
		hd.Set("Tus-Max-Size", strconv.FormatInt(o.MaxSize, 10))
	}
	uploadLimit(hd, o)
	if !o.DisableChecksum {
		hd.Set("Tus-Checksum-Algorithm", strings.Join(checksumNames, ","))
	}
	x.answer(http.StatusNoContent, "")
}

// extensions lists what is switched on.
func (h *Handler) extensions() []string {
	o := &h.opt
	var ext []string
	for _, e := range []struct {
		on   bool
		name string
	}{
		{!o.DisableCreation, "creation"},
		{!o.DisableCreation && !o.DisableCreationWithUpload, "creation-with-upload"},
		{!o.DisableCreation && !o.DisableDeferLength, "creation-defer-length"},
		{o.EnableExpiration, "expiration"},
		{!o.DisableChecksum, "checksum"},
		{!o.DisableChecksum && !o.NoTrailers, "checksum-trailer"},
		{!o.DisableTermination, "termination"},
		{o.EnableConcatenation, "concatenation"},
		{o.EnableConcatenation && !o.DisableUnfinishedConcat, "concatenation-unfinished"},
	} {
		if e.on {
			ext = append(ext, e.name)
		}
	}
	return ext
}

func (t tus1) create(x *exchange) error {
	c := creation{length: Unknown, header: x.r.Header, metadata: strings.Join(x.r.Header.Values("Upload-Metadata"), ",")}
	if err := parseConcat(x, &c.concat); err != nil {
		return err
	}
	if err := t.newLength(x, &c); err != nil {
		return err
	}
	if err := t.newBody(x, &c); err != nil {
		return err
	}
	u, err := x.h.create(x.r.Context(), c)
	if err != nil {
		return err
	}
	hd := x.w.Header()
	hd.Set("Location", x.location(u.ID))
	if c.body != nil && u.Phase != Sealed { // its end is not told before the object is in place; HEAD sees to that
		hd.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	}
	expires(hd, &u)
	t.done(x, http.StatusCreated)
	return nil
}

// newLength reads the length of a new upload: exactly one of the two forms, or none for a final upload.
func (tus1) newLength(x *exchange, c *creation) error {
	length, hasLength, err := number(x.r.Header, "Upload-Length")
	if err != nil {
		return err
	}
	deferred := x.r.Header.Values("Upload-Defer-Length")
	switch {
	case len(deferred) > 1 || len(deferred) == 1 && deferred[0] != "1":
		return refuse(codeBadHeader, "Upload-Defer-Length can only be 1")
	case len(deferred) == 1 && hasLength:
		return refuse(codeBadHeader, "Upload-Length and Upload-Defer-Length exclude each other")
	case len(deferred) == 1 && c.concat.Role == Final:
		return refuse(codeBadHeader, "a final upload has the length of its parts")
	case len(deferred) == 1 && x.h.opt.DisableDeferLength:
		return refuse(codeBadHeader, "the length cannot be deferred here: say Upload-Length")
	case len(deferred) == 0 && !hasLength && c.concat.Role != Final:
		return refuse(codeBadHeader, "the request must say Upload-Length, or Upload-Defer-Length: 1")
	}
	c.length = length
	return nil
}

// newBody takes the body of a creation, if it is one: some gateways give empty requests a content type, and some
// clients send others.
func (t tus1) newBody(x *exchange, c *creation) error {
	if x.r.Header.Get("Content-Type") != tusContentType || x.h.opt.DisableCreationWithUpload {
		return nil
	}
	if x.r.ContentLength == 0 {
		return t.lost(x)
	}
	if c.concat.Role == Final {
		return refuse(codeFinal, faultFinal.text)
	}
	b, err := t.body(x)
	c.body = b
	return err
}

func (t tus1) head(x *exchange, id ID) error {
	u, err := x.h.look(x.r.Context(), ActionHead, id, x.r.Header)
	if err != nil {
		return err
	}
	hd := x.w.Header()
	if u.Concat.Role != Final || u.Phase == Done {
		hd.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	}
	switch {
	case u.Length != Unknown:
		hd.Set("Upload-Length", strconv.FormatInt(u.Length, 10))
	case u.Concat.Role != Final:
		hd.Set("Upload-Defer-Length", "1")
	}
	if u.Metadata != "" {
		hd.Set("Upload-Metadata", u.Metadata)
	}
	switch u.Concat.Role {
	case Partial:
		hd.Set("Upload-Concat", "partial")
	case Final:
		hd.Set("Upload-Concat", u.Concat.Header)
	case Whole, waiting:
	}
	if u.Phase == Done {
		reprDigest(hd, &u)
	}
	expires(hd, &u)
	hd.Set("Cache-Control", "no-store")
	t.done(x, http.StatusOK)
	return nil
}

func (t tus1) append(x *exchange, id ID) error {
	if x.r.Header.Get("Content-Type") != tusContentType {
		return refuse(codeMediaType, "the body must be sent as Content-Type: "+tusContentType)
	}
	offset, ok, err := number(x.r.Header, "Upload-Offset")
	if err != nil {
		return err
	}
	if !ok {
		return refuse(codeBadHeader, "the request must say Upload-Offset")
	}
	length, _, err := number(x.r.Header, "Upload-Length")
	if err != nil {
		return err
	}
	if err := t.lost(x); err != nil {
		return err
	}
	b, err := t.body(x)
	if err != nil {
		return err
	}
	if err := x.h.access(x.r.Context(), ActionAppend, id, x.r.Header, nil); err != nil {
		return err
	}
	u, err := x.h.append(x.r.Context(), id, offset, length, b)
	if f, ok := errors.AsType[*fault](err); ok && f.code == codeOutOfTime && u.Offset > offset && u.Phase == Open {
		err = nil // not all, but some: the offset says how far, and the client goes on from there at once
	}
	if err != nil {
		return err
	}
	hd := x.w.Header()
	hd.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	expires(hd, &u)
	t.done(x, http.StatusNoContent)
	return nil
}

func (t tus1) terminate(x *exchange, id ID) error {
	if err := x.h.terminate(x.r.Context(), id, x.r.Header); err != nil {
		return err
	}
	t.done(x, http.StatusNoContent)
	return nil
}

func (tus1) done(x *exchange, status int) {
	x.w.Header().Set("Tus-Resumable", tusVersion)
	x.answer(status, "")
}

func (tus1) fault(x *exchange, f *fault) {
	hd := x.w.Header()
	hd.Set("Tus-Resumable", tusVersion)
	switch f.code {
	case codeVersion:
		hd.Set("Tus-Version", tusVersion)
	case codeLocked, codeUnavailable, codeShuttingDown, codeOutOfTime:
		hd.Set("Retry-After", "1")
	case codeTooLarge, codeChunk:
		uploadLimit(hd, &x.h.opt)
	case codeOffset:
		hd.Set("Upload-Offset", strconv.FormatInt(f.offset, 10))
	}
}

// lost says that a request came without a body and without a word of its length, where the platform loses bodies of an unknown one. Who
// means an empty body says Content-Length: 0, as RFC 9110 wants it (8.6).
func (tus1) lost(x *exchange) error {
	if !x.h.opt.NeedsLength || x.r.ContentLength != 0 || x.r.Header.Get("Content-Length") != "" {
		return nil
	}
	return refuse(codeNoLength, "a body without a Content-Length is lost on its way to this function: send one, in chunks of a known size")
}

// body describes the request's body to the engine.
func (tus1) body(x *exchange) (*body, error) {
	b := &body{src: x.r.Body, size: x.r.ContentLength, limit: x.h.opt.MaxChunk, deadline: x.readDeadline()}
	if b.size < 0 {
		b.size = Unknown
	}
	if limit := x.h.opt.MaxChunk; limit > 0 && b.size > limit {
		return nil, x.h.chunkTooLarge()
	}
	if x.h.opt.DisableChecksum {
		return b, nil
	}
	if v := x.r.Header.Values("Upload-Checksum"); len(v) > 0 {
		sum, err := parseChecksum(v)
		if err != nil {
			return nil, err
		}
		b.sum = func() (*checksum, error) { return sum, nil }
	} else if _, ok := x.r.Trailer["Upload-Checksum"]; ok && !x.h.opt.NoTrailers {
		b.trailed = true
		b.sum = func() (*checksum, error) { return parseChecksum(x.r.Trailer.Values("Upload-Checksum")) }
	}
	return b, nil
}
