package s3store

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/tus"
)

// wire is an S3 behind a network: it counts requests with and without Content-MD5, can change a byte on the way, and can
// answer with ETags that are no MD5s.
type wire struct {
	*fake
	asked, plain atomic.Int32
	harm         bool
	opaque       bool
}

func (w *wire) pass(body io.Reader, sum *string) (io.Reader, error) {
	if sum == nil {
		w.plain.Add(1)
	} else {
		w.asked.Add(1)
	}
	if !w.harm {
		return body, nil
	}
	b, err := io.ReadAll(body)
	b[len(b)/2] ^= 1
	return strings.NewReader(string(b)), err
}

func (w *wire) tag(etag *string) *string {
	if w.opaque {
		other := `"opaque"`
		return &other
	}
	return etag
}

func (w *wire) UploadPart(ctx context.Context, in *s3.UploadPartInput, o ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	c := *in
	body, err := w.pass(in.Body, in.ContentMD5)
	if err != nil {
		return nil, err
	}
	c.Body = body
	out, err := w.fake.UploadPart(ctx, &c, o...)
	if err == nil {
		out.ETag = w.tag(out.ETag)
	}
	return out, err
}

func (w *wire) PutObject(ctx context.Context, in *s3.PutObjectInput, o ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	c := *in
	if strings.Contains(*in.Key, "/"+tailPrefix) {
		body, err := w.pass(in.Body, in.ContentMD5)
		if err != nil {
			return nil, err
		}
		c.Body = body
	}
	out, err := w.fake.PutObject(ctx, &c, o...)
	if err == nil {
		out.ETag = w.tag(out.ETag)
	}
	return out, err
}

func onWire(t *testing.T) (*Store, *wire, *upload) {
	s, f := onFake(Options{Parallel: 1})
	w := &wire{fake: f}
	s.s3 = w
	return s, w, newUpload(t, s, tus.Unknown)
}

const aPartAndATail = 1500

func TestTheStoreComparesUntilItsETagsAreKnown(t *testing.T) {
	_, w, p := onWire(t)
	p.append(strings.Repeat("x", aPartAndATail))
	if w.asked.Load() != 2 || w.plain.Load() != 0 {
		t.Errorf("at first %d PUTs with Content-MD5 and %d without", w.asked.Load(), w.plain.Load())
	}
	p.append(strings.Repeat("x", 2*aPartAndATail+aPartAndATail))
	if w.asked.Load() != 2 || w.plain.Load() == 0 {
		t.Errorf("then %d with and %d without", w.asked.Load(), w.plain.Load())
	}
	if err := p.complete(); err != nil {
		t.Error(err)
	}
}

func TestAStoreWhoseETagsSayNothingComparesItself(t *testing.T) {
	_, w, p := onWire(t)
	w.opaque = true
	for range 3 {
		p.append(strings.Repeat("x", aPartAndATail))
	}
	if n := w.plain.Load(); n != 0 {
		t.Errorf("%d PUTs that nobody has compared", n)
	}
}

// Bytes that were changed on the way are not in the receipt, whoever has noticed: the store at first, this side later.
func TestBytesThatChangeOnTheWayDoNotCount(t *testing.T) {
	for _, known := range []bool{false, true} {
		for name, body := range map[string]int{"a tail": 500, "a part": 1000} {
			s, w, p := onWire(t)
			if known {
				s.partTags.kind.Store(etagMD5)
				s.tailTags.kind.Store(etagMD5)
			}
			w.harm = true
			p.lease.Epoch++
			p.lease.Slots = tus.Slots{First: 1, N: 4}
			rc, err := s.Append(t.Context(), p.lease, strings.NewReader(strings.Repeat("x", body)))
			if err == nil || rc.N != 0 || known && !errors.Is(err, tus.ErrUnavailable) {
				t.Errorf("%s, known %v: %d bytes, %v", name, known, rc.N, err)
			}
			w.harm = false
			w.plain.Store(0)
			p.lease.Upload.NextSlot = rc.NextSlot
			p.append(strings.Repeat("x", body))
			if w.plain.Load() != 0 {
				t.Errorf("%s, known %v: the next PUT is not compared by the store", name, known)
			}
		}
	}
}
