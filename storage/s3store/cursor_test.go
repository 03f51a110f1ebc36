package s3store

import (
	"crypto/md5"
	"errors"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// FuzzCursor: a cursor that is not this driver's is refused or leads nowhere, and never to a panic.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		"", "{}", "1 7", `{"v":1,"n":1000}`, `{"v":1,"s":"session/1","n":1000,"p":"AAE="}`, `{"v":1,"n":9,"t":[{"k":"a","l":-5}]}`,
		`{"v":1,"s":"x","n":1000,"p":"/////w8B"}`, `{"v":1,"n":5,"t":[{"k":"a","l":5}],"h":"AAAA"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(tus.Cursor(text))
		if err != nil {
			if !errors.Is(err, tus.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if text == "" {
			return
		}
		again, err := parseCursor(c.format())
		if err != nil || string(again.format()) != string(c.format()) {
			t.Fatalf("%s becomes %s, %v", text, c.format(), err)
		}
		s, _ := onFake(Options{})
		lease := tus.Lease{Epoch: 1, Upload: tus.Upload{ID: "i", Birth: "b", Length: 10, Cursor: tus.Cursor(text)}}
		_, _ = s.Append(t.Context(), lease, strings.NewReader("0123456789"))
		lease.Upload.Offset, lease.Upload.Phase = 10, tus.Sealed
		if _, err := s.Complete(t.Context(), lease); err == nil {
			t.Errorf("cursor %q was completed", text)
		}
	})
}

func TestTheStateOfAHashSurvives(t *testing.T) {
	text := strings.Repeat("0123456789abcde", 40)
	for cut := range text {
		h, err := unpackMD5(nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Write([]byte(text[:cut]))
		if h, err = unpackMD5(packMD5(h)); err != nil {
			t.Fatal(err)
		}
		h.Write([]byte(text[cut:]))
		if want := md5.Sum([]byte(text)); string(h.Sum(nil)) != string(want[:]) {
			t.Errorf("cut at %d: another sum", cut)
		}
	}
}
