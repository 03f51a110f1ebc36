package gcsstore

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// A Remove in whose middle, after it has listed, a late Complete composes a piece, and publishes it when the Remove has
// ended: it must not find it any more.
func TestRemoveSeesWhatIsComposedWhileItRemoves(t *testing.T) {
	var once sync.Once
	var complete func()
	composed, removed := make(chan struct{}), make(chan struct{})
	frozen := sync.OnceFunc(func() { close(composed) })
	s, f := onFake(t, Options{StorageClass: "NEARLINE"}, gcsfake.Options{Plan: func(c gcsfake.Call) gcsfake.Fault {
		switch c.Name {
		case "objects.delete":
			once.Do(func() {
				go complete()
				<-composed
			})
		case "objects.rewrite":
			frozen()
			<-removed
		}
		return gcsfake.NoFault
	}})
	p := newUpload(t, s, tus.Unknown)
	p.append("abc")
	ended := make(chan error, 1)
	doomed := p.lease
	complete = func() {
		defer frozen() // also where it does not come so far
		ended <- p.complete()
	}
	doomed.Epoch++
	doomed.Upload.Length, doomed.Upload.Phase = 3, tus.Doomed
	if err := s.Remove(t.Context(), doomed); err != nil {
		t.Error(err)
	}
	close(removed)
	if err := <-ended; err == nil {
		t.Error("the late Complete succeeded")
	}
	if left := left(s, f, doomed.Upload); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Without a rolling checksum it is the generations alone that tell a piece from another of its name and length.
func TestAPieceOfAnotherGenerationIsNotPublished(t *testing.T) {
	replace := func(s *Store, name string) {
		w := s.bucket.Object(name).NewWriter(t.Context())
		_, _ = w.Write(bytes.Repeat([]byte("?"), 10))
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, class := range []string{"", "NEARLINE"} {
		for _, call := range []string{"objects.compose", "objects.rewrite"} {
			s, f, then := overtaken(t, Options{StorageClass: class}, call)
			p := newUpload(t, s, tus.Unknown)
			p.append("0123456789")
			p.lease.Upload.Digest, p.crc = nil, 0
			ran := false
			do := func() {
				ran = true
				for _, name := range left(s, f, p.lease.Upload) {
					replace(s, name)
				}
			}
			then.Store(&do)
			u := &p.lease.Upload
			u.Length, u.Phase = u.Offset, tus.Sealed
			_, err := s.Complete(t.Context(), p.lease)
			then.Store(nil)
			if ran && !errors.Is(err, tus.ErrCorrupt) {
				t.Errorf("class %q, replaced before %s: %v", class, call, err)
			}
			if !ran && err != nil {
				t.Error(err)
			}
		}
	}
}
