package gcsstore

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"

	"github.com/fileloft/fileloft/tus"
)

// The metadata of an object that say whose it is.
const (
	metaID    = "fileloft-id"
	metaBirth = "fileloft-birth"
)

const octets = "application/octet-stream"

// A life is one upload: an id, and the birth mark that tells it from others that had the id before.
type life struct {
	id    tus.ID
	birth string
}

func lifeOf(u *tus.Upload) life { return life{u.ID, u.Birth} }

// Names of pieces, below the life's directory.
const (
	signName     = "gone"   // the upload was removed
	objectName   = "object" // a finished Partial upload
	pieceMark    = "p."     // bytes as they came
	composedMark = "c."     // pieces composed into one
)

func (s *Store) dir(l life) string { return s.pieces + string(l.id) + "/" + l.birth + "/" }

// key returns where the upload's object goes. A Partial upload's is a piece among others: nobody is to see it.
func (s *Store) key(u *tus.Upload) (string, error) {
	if u.Concat.Role == tus.Partial {
		return s.dir(lifeOf(u)) + objectName, nil
	}
	k := s.prefix + u.ObjectKey()
	if strings.HasPrefix(k, s.pieces) {
		return "", fmt.Errorf("the key %q lies among the pieces of unfinished uploads", k)
	}
	return k, nil
}

// newName returns a name that was never used: the epoch says whose it is, the rest tells it from those of other calls
// under the same epoch.
func newName(mark string, e tus.Epoch) string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("%s%d.%s", mark, e, base64.RawURLEncoding.EncodeToString(b))
}

// parsePiece takes a name below pieces apart.
func (s *Store) parsePiece(key string) (l life, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, s.pieces)
	if !ok {
		return l, "", false
	}
	f := strings.SplitN(rest, "/", 3)
	if len(f) != 3 || f[2] == "" {
		return l, "", false
	}
	return life{tus.ID(f[0]), f[1]}, f[2], true
}

// headers are what an object is published with.
type headers struct {
	contentType, disposition string
	meta                     map[string]string
}

func headersOf(u *tus.Upload) headers {
	h := headers{contentType: octets, meta: map[string]string{metaID: string(u.ID), metaBirth: u.Birth}}
	m, err := tus.ParseMetadata(u.Metadata)
	if err != nil {
		return h // the engine has refused what is malformed; another client of the port is not punished for it
	}
	for _, k := range []string{"filetype", "type"} {
		if t, _, err := mime.ParseMediaType(m[k]); err == nil && strings.Contains(t, "/") && printable(m[k]) {
			h.contentType = m[k]
			break
		}
	}
	for _, k := range []string{"filename", "name"} {
		if h.disposition = disposition(m[k]); h.disposition != "" {
			break
		}
	}
	return h
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// disposition returns the Content-Disposition that has a browser save a file under name: with an ASCII stand-in for old
// ones, and the whole name in the form of RFC 8187 where it has more than that. Empty if there is no name.
func disposition(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.ToValidUTF8(name, "_")
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
	if name == "" {
		return ""
	}
	ascii := strings.Map(func(r rune) rune {
		if r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	d := `attachment; filename="` + ascii + `"`
	if ascii != name {
		d += "; filename*=UTF-8''" + escape8187(name)
	}
	return d
}

// escape8187 percent-encodes all but RFC 8187's attr-char.
func escape8187(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
