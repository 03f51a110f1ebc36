package s3store

import (
	"testing"
	"time"

	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

// onFake returns a Store on a fake with parts of 1,000 bytes, which is S3's smallest there.
func onFake(o Options) (*Store, *fake) {
	f := newFake(1000)
	if o.PartSize == 0 {
		o.PartSize = 1000
	}
	s := newStore(f, "b", o)
	s.minPart, s.chunk, s.look, s.wait = f.minPart, 64<<20, time.Microsecond, time.Millisecond
	return s, f
}

func suite(t *testing.T, o Options) {
	storetest.Run(t, storetest.Config{
		New:        func(testing.TB) tus.Storage { s, _ := onFake(o); return s },
		PartSize:   1000,
		MaxHeap:    -1, // the fake keeps bodies
		Violations: func(s tus.Storage) []string { return s.(*Store).s3.(*fake).seen() },
		Pieces:     func(s tus.Storage, u tus.Upload) []string { return s.(*Store).s3.(*fake).pieces(s.(*Store), u) },
	})
}

func TestStore(t *testing.T)        { suite(t, Options{}) }
func TestUniformParts(t *testing.T) { suite(t, Options{UniformParts: true, Prefix: "p/"}) }
func TestUnconditional(t *testing.T) {
	suite(t, Options{Unconditional: true})
}
