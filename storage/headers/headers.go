// Package headers says with what a finished object is published, in stores that serve objects themselves: the Content-Type and the
// Content-Disposition, made of metadata that a client sent and nobody has checked. It touches nothing but the record.
package headers

import (
	"fmt"
	"mime"
	"strings"

	"github.com/fileloft/fileloft/tus"
)

// Of returns the Content-Type and the Content-Disposition of an upload's object, "" where its metadata name none. The type is what the
// client said, if it is one; the disposition is always attachment.
func Of(u *tus.Upload) (contentType, disposition string) {
	m, err := tus.ParseMetadata(u.Metadata)
	if err != nil {
		return "", "" // the engine has refused what is malformed; another client of the port is not punished for it
	}
	for _, k := range []string{"filetype", "type"} {
		if t, _, err := mime.ParseMediaType(m[k]); err == nil && strings.Contains(t, "/") && printable(m[k]) {
			contentType = m[k]
			break
		}
	}
	for _, k := range []string{"filename", "name"} {
		if disposition = Disposition(m[k]); disposition != "" {
			break
		}
	}
	return contentType, disposition
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// Disposition returns the Content-Disposition that has a browser save a file under name: with an ASCII stand-in for old
// ones, and the whole name in the form of RFC 8187 where it has more than that. Empty if there is no name.
func Disposition(name string) string {
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
