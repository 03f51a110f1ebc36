package s3store

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/tus"
)

// shaky is an S3 of which one call in five goes wrong: half of those do what they were asked, and the answer is lost.
type shaky struct {
	*fake
	rng *rand.Rand
}

func (f *shaky) bad() (before, after error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.rng.IntN(10) {
	case 0:
		return fault("SlowDown"), nil
	case 1:
		return nil, fault("InternalError")
	}
	return nil, nil
}

func twist[I, O any](f *shaky, ctx context.Context, in I, call func(context.Context, I, ...func(*s3.Options)) (O, error)) (O, error) {
	var none O
	before, after := f.bad()
	if before != nil {
		return none, before
	}
	out, err := call(ctx, in)
	if after != nil {
		return none, after
	}
	return out, err
}

func (f *shaky) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	return twist(f, ctx, in, f.fake.CreateMultipartUpload)
}

func (f *shaky) UploadPart(ctx context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	return twist(f, ctx, in, f.fake.UploadPart)
}

func (f *shaky) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	return twist(f, ctx, in, f.fake.CompleteMultipartUpload)
}

func (f *shaky) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	return twist(f, ctx, in, f.fake.AbortMultipartUpload)
}

func (f *shaky) ListParts(ctx context.Context, in *s3.ListPartsInput, _ ...func(*s3.Options)) (*s3.ListPartsOutput, error) {
	return twist(f, ctx, in, f.fake.ListParts)
}

func (f *shaky) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return twist(f, ctx, in, f.fake.PutObject)
}

func (f *shaky) GetObject(ctx context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return twist(f, ctx, in, f.fake.GetObject)
}

func (f *shaky) HeadObject(ctx context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return twist(f, ctx, in, f.fake.HeadObject)
}

func (f *shaky) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	return twist(f, ctx, in, f.fake.DeleteObject)
}

func (f *shaky) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	return twist(f, ctx, in, f.fake.ListObjectsV2)
}

// Whatever single request fails or is answered into the void, the upload comes to its end, right, and leaves nothing but sessions
// that were never noted.
func TestEveryRequestMayFail(t *testing.T) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 3))
		s, f := onFake(Options{Parallel: 1 + rng.IntN(4), Memory: 1 << 20})
		s.s3 = &shaky{f, rand.New(rand.NewPCG(seed, 4))}
		body := strings.Repeat("0123456789abcdefg", 1+rng.IntN(400))
		p := newUpload(t, s, int64(len(body)))
		u := &p.lease.Upload
		granted := uint32(1)
		for u.Offset < u.Length {
			rest := body[u.Offset:]
			rest = rest[:1+rng.IntN(len(rest))]
			p.lease.Epoch++
			p.lease.Slots = tus.Slots{First: granted, N: s.Slots(int64(len(rest)))}
			granted = p.lease.Slots.End()
			r, err := s.Append(t.Context(), p.lease, strings.NewReader(rest))
			if err != nil && !errors.Is(err, tus.ErrUnavailable) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if rng.IntN(5) > 0 {
				u.Offset, u.Cursor = u.Offset+r.N, r.Cursor
			}
		}
		u.NextSlot = granted
		insist(t, seed, p.complete)
		if got := string(f.objects[string(u.ID)].data); got != body {
			t.Fatalf("seed %d: an object of %d bytes is not the %d that were sent", seed, len(got), len(body))
		}
		if seed%2 == 0 { // what Complete could not delete, Collect does
			u.Phase = tus.Done
			insist(t, seed, func() error {
				_, err := s.Collect(t.Context(), time.Now().Add(time.Hour), p.look)
				return err
			})
			for _, left := range f.pieces(s, *u) {
				if left != string(u.ID) && !strings.HasPrefix(left, "session") {
					t.Errorf("seed %d: beside the object there is %s", seed, left)
				}
			}
			f.checkSessions(t, seed)
		}
		u.Phase = tus.Doomed
		insist(t, seed, func() error { return s.Remove(t.Context(), p.lease) })
		for _, left := range f.pieces(s, *u) {
			if !strings.HasPrefix(left, "session") {
				t.Errorf("seed %d: left behind: %s", seed, left)
			}
		}
		f.checkSessions(t, seed)
		if v := f.seen(); len(v) > 0 {
			t.Errorf("seed %d: %q", seed, v)
		}
	}
}

// checkSessions: a session that has no note has no parts.
func (f *fake) checkSessions(t *testing.T, seed uint64) {
	t.Helper()
	for id, ses := range f.sessions {
		if len(ses.parts) > 0 {
			t.Errorf("seed %d: session %s was left with parts", seed, id)
		}
	}
}

// look answers Collect from the upload's record; it has the only one.
func (p *upload) look(_ context.Context, id tus.ID, birth string) (tus.Upload, error) {
	if u := p.lease.Upload; u.ID == id && u.Birth == birth {
		return u, nil
	}
	return tus.Upload{}, tus.ErrNotFound
}

func insist(t *testing.T, seed uint64, do func() error) {
	t.Helper()
	for range 1000 {
		err := do()
		if err == nil {
			return
		}
		if !errors.Is(err, tus.ErrUnavailable) {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	t.Fatalf("seed %d: no end", seed)
}

// overtaking is an S3 in which something happens just before an object is put.
type overtaking struct {
	*fake
	first func()
}

func (f *overtaking) PutObject(ctx context.Context, in *s3.PutObjectInput, o ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if do := f.first; do != nil && !strings.HasPrefix(*in.Key, ".fileloft/") {
		f.first = nil
		do()
	}
	return f.fake.PutObject(ctx, in, o...)
}

// A Complete that looked for the sign of removal, froze, and wakes up after the removal.
func TestACompleteThatIsOvertakenBringsNothingBack(t *testing.T) {
	for _, size := range []int{0, 10} {
		s, f := onFake(Options{})
		p := newUpload(t, s, int64(size))
		if size > 0 {
			p.append(strings.Repeat("w", size))
		}
		s.s3 = &overtaking{f, func() {
			late := p.lease
			late.Epoch++
			late.Upload.Phase = tus.Doomed
			if err := s.Remove(t.Context(), late); err != nil {
				t.Error(err)
			}
		}}
		if err := p.complete(); err == nil {
			t.Errorf("%d bytes: no error", size)
		}
		if left := f.pieces(s, p.lease.Upload); len(left) > 0 {
			t.Errorf("%d bytes: left behind: %q", size, left)
		}
		n, err := s.Collect(t.Context(), time.Now().Add(time.Hour), func(context.Context, tus.ID, string) (tus.Upload, error) { return tus.Upload{}, tus.ErrNotFound })
		if n != 0 || err != nil || len(f.objects) != 0 {
			t.Errorf("%d bytes: collect: %d, %v; left are %d objects", size, n, err, len(f.objects))
		}
	}
}

// The last part, which Complete makes of the tails, must not have a number that a writer of an earlier lease may still send.
func TestTheLastPartHasANumberOfItsOwn(t *testing.T) {
	s, f := onFake(Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append(strings.Repeat("a", 1500))
	u := &p.lease.Upload
	zombie := p.lease // granted numbers from 2 on
	zombie.Epoch++
	zombie.Slots = tus.Slots{First: u.NextSlot, N: 5}
	u.NextSlot = zombie.Slots.End()
	p.lease.Epoch += 2
	if _, err := s.Append(t.Context(), zombie, strings.NewReader(strings.Repeat("z", 3000))); err != nil {
		t.Error(err)
	}
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	if got := string(f.objects[string(u.ID)].data); got != strings.Repeat("a", 1500) {
		t.Errorf("the object is %.20q... of %d bytes", got, len(got))
	}
	if v := f.seen(); len(v) > 0 {
		t.Errorf("%q", v)
	}
}
