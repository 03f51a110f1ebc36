package headers

import (
	"mime"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"":                   "",
		"a.txt":              `attachment; filename="a.txt"`,
		"../../etc/passwd":   `attachment; filename="passwd"`,
		`C:\Temp\a b.txt`:    `attachment; filename="a b.txt"`,
		"x\r\nSet-Cookie: y": `attachment; filename="xSet-Cookie: y"`,
		`say "hi".txt`:       `attachment; filename="say _hi_.txt"; filename*=UTF-8''say%20%22hi%22.txt`,
		"100%.txt":           `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`,
		"Übung €.pdf":        `attachment; filename="_bung _.pdf"; filename*=UTF-8''%C3%9Cbung%20%E2%82%AC.pdf`,
		"日本語.txt":            `attachment; filename="___.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%E8%AA%9E.txt`,
		"bad\xff.txt":        `attachment; filename="bad_.txt"`,
	} {
		got := Disposition(name)
		if got != want {
			t.Errorf("%q: %s", name, got)
		}
		if got == "" {
			continue
		}
		_, params, err := mime.ParseMediaType(got)
		if err != nil || !strings.HasSuffix(strings.ReplaceAll(name, "\xff", "_"), params["filename"]) && !strings.Contains(name, "\r") {
			t.Errorf("%q: reads back as %q, %v", name, params["filename"], err)
		}
	}
}

func TestOf(t *testing.T) {
	for metadata, want := range map[string][2]string{
		"": {"", ""},
		"filename w5xidW5nLnBkZg==,filetype YXBwbGljYXRpb24vcGRm": {"application/pdf", Disposition("Übung.pdf")},
		"name YS50eHQ=,type dGV4dC9wbGFpbg==":                     {"text/plain", `attachment; filename="a.txt"`},
		"filetype bm90IGEgdHlwZQ==":                               {"", ""}, // "not a type"
		"filetype YQovYg==":                                       {"", ""}, // with a line's end
		"no base64 at all":                                        {"", ""},
	} {
		contentType, disposition := Of(&tus.Upload{Metadata: metadata})
		if got := [2]string{contentType, disposition}; got != want {
			t.Errorf("%q: %q, want %q", metadata, got, want)
		}
	}
}
