package azurestore

import (
	"crypto/md5" //nolint:gosec // Azure's own checksum of blobs, not a secret's
	"hash"
	"io"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// An uploading is a record and its lease, for one writer without rivals.
type uploading struct {
	tb    testing.TB
	s     *Store
	lease tus.Lease
	sum   hash.Hash
}

func newUpload(tb testing.TB, s *Store, length int64) *uploading {
	u := tus.Upload{ID: tus.NewID(), Birth: "birth", Length: length, NextSlot: 1}
	return &uploading{tb: tb, s: s, lease: tus.Lease{Upload: u, Epoch: 1, Slots: tus.Slots{First: 1}}, sum: md5.New()}
}

// next takes the next lease, with slots for n bytes. Those of the one before are spoilt.
func (p *uploading) next(n int) tus.Lease {
	p.lease.Epoch++
	p.lease.Slots = tus.Slots{First: p.lease.Slots.End(), N: p.s.Slots(int64(n))}
	return p.lease
}

func (p *uploading) append(body string) {
	p.tb.Helper()
	r, err := p.s.Append(p.tb.Context(), p.next(len(body)), strings.NewReader(body))
	if err != nil || r.N != int64(len(body)) {
		p.tb.Fatalf("append: %d of %d bytes, %v", r.N, len(body), err)
	}
	p.take(r, body)
}

// take commits a receipt, and gives back the slots that were not touched.
func (p *uploading) take(r tus.Receipt, body string) {
	u := &p.lease.Upload
	u.Offset, u.Cursor = u.Offset+r.N, r.Cursor
	p.lease.Slots.N = r.NextSlot - p.lease.Slots.First
	_, _ = io.WriteString(p.sum, body[:r.N])
}

func (p *uploading) complete() error {
	u := &p.lease.Upload
	u.Length, u.Phase = u.Offset, tus.Sealed
	st, err := p.s.Complete(p.tb.Context(), p.lease)
	if err == nil && st.Size != u.Length {
		p.tb.Errorf("complete: %+v of %d bytes", st, u.Length)
	}
	return err
}

// doomed is the lease under which the upload is removed.
func (p *uploading) doomed() tus.Lease {
	l := p.lease
	l.Epoch++
	l.Upload.Phase = tus.Doomed
	return l
}

// object reads a finished upload's object.
func (p *uploading) object() string {
	p.tb.Helper()
	rc, err := p.s.Open(p.tb.Context(), p.lease.Upload, 0, p.lease.Upload.Length)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		p.tb.Fatal(err)
	}
	return string(b)
}

// joining makes a sealed Final upload of n bytes.
func joining(tb testing.TB, s *Store, n int) *uploading {
	p := newUpload(tb, s, int64(n))
	u := &p.lease.Upload
	u.Concat.Role, u.Offset, u.Phase = tus.Final, u.Length, tus.Sealed
	return p
}

// partials makes finished Partial uploads, of one body each.
func partials(tb testing.TB, s *Store, bodies ...string) (parts []tus.Upload) {
	tb.Helper()
	for _, body := range bodies {
		p := newUpload(tb, s, int64(len(body)))
		p.lease.Upload.Concat.Role = tus.Partial
		if body != "" {
			p.append(body)
		}
		if err := p.complete(); err != nil {
			tb.Fatal(err)
		}
		parts = append(parts, p.lease.Upload)
	}
	return parts
}
