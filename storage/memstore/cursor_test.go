package memstore

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// FuzzCursor: a cursor that is not this driver's is refused or leads nowhere, and never to a panic.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		"", "{}", "1 7", `{"v":1,"s":"s1.1","n":1000}`, `{"v":1,"s":"x","n":1000,"p":[{"First":4294967295,"N":4294967295}]}`,
		`{"v":1,"s":"s1.1","n":1000,"t":[{"k":"a","l":-5}]}`, `{"v":1,"s":"s1.1","n":1,"t":[{"k":"a","l":9}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, c string) {
		s := New(&Options{PartSize: 8})
		u := tus.Upload{ID: "i", Birth: "b", Length: 3}
		lease := tus.Lease{Epoch: 1, Upload: u, Slots: tus.Slots{First: 1, N: 5}}
		if _, err := s.Append(context.Background(), lease, bytes.NewReader([]byte("abc"))); err != nil {
			t.Fatal(err)
		}
		lease.Upload.Cursor = tus.Cursor(c)
		_, _ = s.Append(context.Background(), lease, bytes.NewReader([]byte("0123456789")))
		if _, err := s.Complete(context.Background(), lease); err == nil {
			t.Errorf("cursor %q was completed", c)
		}
		if _, err := parseCursor(tus.Cursor(c)); err != nil && !errors.Is(err, tus.ErrCorrupt) {
			t.Errorf("%q: %v", c, err)
		}
	})
}
