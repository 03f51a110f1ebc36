package tus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
)

// inlineTypes are shown by browsers without running anything that the uploader wrote; all else is an attachment.
var inlineTypes = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/avif": true, "image/bmp": true,
	"audio/mpeg": true, "audio/ogg": true, "audio/wav": true, "audio/webm": true, "audio/aac": true, "audio/flac": true,
	"video/mp4": true, "video/webm": true, "video/ogg": true,
	"text/plain": true, "application/pdf": true,
}

// download answers GET: by a redirect to the storage where it can make links, else with the bytes.
func (x *exchange) download(id ID) error {
	u, err := x.h.look(x.r.Context(), ActionDownload, id, x.r.Header)
	if err != nil {
		return err
	}
	if u.Phase != Done {
		return refuse(codeUnfinished, "the upload is not finished yet")
	}
	contentType, disposition := presentation(&u)
	hd := x.w.Header()
	hd.Set("Tus-Resumable", tusVersion)
	if x.h.link != nil {
		url, err := x.h.link.Link(x.r.Context(), u, disposition, contentType)
		if err == nil {
			hd.Set("Location", url)
			hd.Set("Cache-Control", "no-store")
			x.answer(http.StatusFound, "")
			return nil
		}
		if x.h.open == nil {
			return err
		}
		x.h.opt.Log.WarnContext(x.r.Context(), "tus: no link to be had, sending the bytes", "upload", id, "error", err)
	}
	f := &ranged{ctx: x.r.Context(), open: x.h.open, u: u}
	defer f.close()
	if u.Length > 0 { // a fault of the storage must not become a 200 with no body
		if err := f.ensure(); err != nil {
			return err
		}
	}
	hd.Set("Content-Type", contentType)
	hd.Set("Content-Disposition", disposition)
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	hd.Set("ETag", `"`+u.Birth+`"`)
	reprDigest(hd, &u)
	x.began = true
	http.ServeContent(x.w, x.r, "", u.Created, f)
	return nil
}

// presentation returns the Content-Type and Content-Disposition of a download, from metadata that nobody has
// checked: the type only if it is one, the name only as a name (RFC 6266, RFC 8187).
func presentation(u *Upload) (contentType, disposition string) {
	m, err := ParseMetadata(u.Metadata)
	if err != nil {
		m = nil
	}
	contentType = "application/octet-stream"
	for _, key := range []string{"filetype", "type", "contentType", "content-type", "mimeType"} {
		if t, params, err := mime.ParseMediaType(m[key]); err == nil && strings.Count(t, "/") == 1 {
			if s := mime.FormatMediaType(t, params); s != "" {
				contentType = s
				break
			}
		}
	}
	kind := "attachment"
	if t, _, err := mime.ParseMediaType(contentType); err == nil && inlineTypes[t] {
		kind = "inline"
	}
	for _, key := range []string{"filename", "name"} {
		if name := cleanName(m[key]); name != "" {
			if s := mime.FormatMediaType(kind, map[string]string{"filename": name}); s != "" {
				return contentType, s
			}
		}
	}
	return contentType, kind
}

// cleanName makes a bare file name of what a client called its file.
func cleanName(s string) string {
	s = path.Base(strings.ReplaceAll(strings.ToValidUTF8(s, ""), `\`, "/"))
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if s == "." || s == ".." || s == "/" {
		return ""
	}
	return s
}

// ranged is an io.ReadSeeker over a storage that can read ranges: it opens where it is first read after a seek.
type ranged struct {
	ctx  context.Context // of the one request that it serves; it does not outlive ServeContent
	open Opener
	u    Upload
	off  int64
	at   int64 // where rc stands
	rc   io.ReadCloser
}

func (r *ranged) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += r.off
	case io.SeekEnd:
		off += r.u.Length
	}
	if off < 0 {
		return 0, errors.New("tus: seek before the start")
	}
	r.off = off
	return off, nil
}

// ensure opens the object at the offset, unless it stands there already.
func (r *ranged) ensure() error {
	if r.rc != nil && r.at == r.off {
		return nil
	}
	r.close()
	rc, err := r.open.Open(r.ctx, r.u, r.off, r.u.Length-r.off)
	if err != nil {
		return fmt.Errorf("tus: open %s at %d: %w", r.u.ID, r.off, err)
	}
	r.rc, r.at = rc, r.off
	return nil
}

func (r *ranged) Read(b []byte) (int, error) {
	if r.off >= r.u.Length {
		return 0, io.EOF
	}
	if err := r.ensure(); err != nil {
		return 0, err
	}
	n, err := r.rc.Read(b)
	r.off += int64(n)
	r.at = r.off
	return n, err
}

func (r *ranged) close() {
	if r.rc != nil {
		_ = r.rc.Close() // read-only
		r.rc = nil
	}
}
