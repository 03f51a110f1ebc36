package gcsstore

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// object reads a finished upload's object.
func object(t *testing.T, p *uploading) string {
	t.Helper()
	rc, err := p.s.Open(t.Context(), p.lease.Upload, 0, p.lease.Upload.Length)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Whatever single request fails or is answered into the void, the upload comes to its end, right, and leaves nothing.
func TestEveryRequestMayFail(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 60
	}
	var mu sync.Mutex
	var rng *rand.Rand
	s, f := onFake(t, Options{ChunkSize: quantum, PieceSize: 2 * quantum}, gcsfake.Options{Plan: func(gcsfake.Call) gcsfake.Fault {
		mu.Lock()
		defer mu.Unlock()
		if n := rng.IntN(20); n < 4 {
			return gcsfake.Fault(n)
		}
		return gcsfake.NoFault
	}})
	for seed := range seeds {
		local := rand.New(rand.NewPCG(seed, 3))
		mu.Lock()
		rng = rand.New(rand.NewPCG(seed, 4))
		mu.Unlock()
		unit, most := "0123456789abcdefg", 60
		if seed%4 == 0 {
			unit, most = strings.Repeat(unit, 3000), 20 // several chunks
		}
		body := strings.Repeat(unit, 1+local.IntN(most))
		p := newUpload(t, s, int64(len(body)))
		u := &p.lease.Upload
		for u.Offset < u.Length {
			rest := body[u.Offset:]
			if local.IntN(3) > 0 {
				rest = rest[:min(len(rest), 1+local.IntN(len(unit)*4))]
			}
			p.lease.Epoch++
			r, err := s.Append(t.Context(), p.lease, strings.NewReader(rest))
			if err != nil && !errors.Is(err, tus.ErrUnavailable) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if local.IntN(5) > 0 {
				p.take(r, rest)
			}
		}
		insist(t, seed, p.complete)
		if got := object(t, p); got != body {
			t.Fatalf("seed %d: an object of %d bytes is not the %d that were sent", seed, len(got), len(body))
		}
		if seed%2 == 0 { // what Complete could not delete, Collect does
			u.Phase = tus.Done
			insist(t, seed, func() error {
				_, err := s.Collect(t.Context(), time.Now().Add(time.Hour), p.look)
				return err
			})
			if left := left(s, f, *u); len(left) != 1 || object(t, p) != body {
				t.Errorf("seed %d: collected, there is %q", seed, left)
			}
		}
		u.Phase = tus.Doomed
		insist(t, seed, func() error { return s.Remove(t.Context(), p.lease) })
		if left := left(s, f, *u); len(left) > 0 {
			t.Errorf("seed %d: left behind: %q", seed, left)
		}
	}
	if r := f.Replaced(); len(r) > 0 {
		t.Errorf("replaced: %q", r)
	}
}

// look answers Collect from the upload's record; it has the only one.
func (p *uploading) look(_ context.Context, id tus.ID, birth string) (tus.Upload, error) {
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

// overtaken is a fake in which something happens just before a call.
func overtaken(t *testing.T, o Options, call string) (s *Store, f *gcsfake.Server, then *atomic.Pointer[func()]) {
	then = new(atomic.Pointer[func()])
	s, f = onFake(t, o, gcsfake.Options{Plan: func(c gcsfake.Call) gcsfake.Fault {
		if c.Name == call {
			if do := then.Swap(nil); do != nil {
				(*do)()
			}
		}
		return gcsfake.NoFault
	}})
	return s, f, then
}

// A Complete or a Concat that froze just before one of its requests, and wakes up after the removal.
func TestACompleteThatIsOvertakenBringsNothingBack(t *testing.T) {
	for _, call := range []string{"objects.insert", "objects.get", "objects.compose", "objects.rewrite"} {
		for _, pieces := range []int{0, 1, 40} {
			for _, class := range []string{"", "NEARLINE"} {
				s, f, then := overtaken(t, Options{StorageClass: class}, call)
				p := newUpload(t, s, int64(10*pieces))
				for range pieces {
					p.append(strings.Repeat("w", 10))
				}
				checkOvertaken(t, s, f, then, p, p.complete)

				final := newUpload(t, s, 10)
				u := &final.lease.Upload
				u.Concat.Role, u.Length, u.Offset, u.Phase = tus.Final, 10, 10, tus.Sealed
				parts := []tus.Upload{}
				for _, p := range partials(t, s) {
					parts = append(parts, p.lease.Upload)
				}
				checkOvertaken(t, s, f, then, final, func() error {
					_, err := s.Concat(t.Context(), final.lease, parts)
					return err
				})
			}
		}
	}
}

func checkOvertaken(t *testing.T, s *Store, f *gcsfake.Server, then *atomic.Pointer[func()], p *uploading, do func() error) {
	t.Helper()
	ran := false
	remove := func() {
		ran = true
		late := p.lease
		late.Epoch++
		late.Upload.Phase = tus.Doomed
		if err := s.Remove(t.Context(), late); err != nil {
			t.Error(err)
		}
	}
	then.Store(&remove)
	err := do()
	then.Store(nil)
	if ran && err == nil {
		t.Error("no error")
	}
	if left := left(s, f, p.lease.Upload); ran && len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if !ran {
		return
	}
	n, err := s.Collect(t.Context(), time.Now().Add(time.Hour), func(_ context.Context, id tus.ID, _ string) (tus.Upload, error) {
		if id == p.lease.Upload.ID {
			return tus.Upload{}, tus.ErrNotFound
		}
		return tus.Upload{}, nil // open
	})
	if n != 0 || err != nil {
		t.Errorf("collect: %d, %v", n, err)
	}
}

func TestWhatIsLostIsNotPublished(t *testing.T) {
	for name, harm := range map[string]func(s *Store, f *gcsfake.Server, pieces []string){
		"a piece is gone": func(s *Store, _ *gcsfake.Server, pieces []string) {
			_ = s.bucket.Object(pieces[0]).Delete(context.Background())
		},
		"a piece was replaced": func(s *Store, _ *gcsfake.Server, pieces []string) {
			w := s.bucket.Object(pieces[0]).NewWriter(context.Background())
			_, _ = w.Write(make([]byte, 10))
			_ = w.Close()
		},
		"a piece has rotted": func(_ *Store, f *gcsfake.Server, pieces []string) { f.Harm("b", pieces[0]) },
	} {
		for _, class := range []string{"", "NEARLINE"} {
			s, f := onFake(t, Options{StorageClass: class}, gcsfake.Options{})
			p := newUpload(t, s, tus.Unknown)
			p.append("0123456789")
			p.append("0123456789")
			harm(s, f, left(s, f, p.lease.Upload))
			if err := p.complete(); !errors.Is(err, tus.ErrCorrupt) {
				t.Errorf("%s: %v", name, err)
			}
			if f.Names("b", func(name string, _ map[string]string) bool { return name == string(p.lease.Upload.ID) }) != nil {
				t.Errorf("%s: the object was published", name)
			}
		}
	}
}

// A bucket that is missing, or cannot be asked, loses nothing: nobody may take an upload for corrupt because of it.
func TestAStoreThatIsNotThereLosesNothing(t *testing.T) {
	var down atomic.Bool
	s, f := onFake(t, Options{}, gcsfake.Options{Plan: func(gcsfake.Call) gcsfake.Fault {
		if down.Load() {
			return gcsfake.Unavailable
		}
		return gcsfake.NoFault
	}})
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	p := newUpload(t, s, tus.Unknown)
	p.append("0123456789")
	missing := storeOn(t, f, "none", Options{})
	p.s = missing
	if err := p.complete(); err == nil || errors.Is(err, tus.ErrCorrupt) || errors.Is(err, tus.ErrNotFound) {
		t.Errorf("no bucket: %v", err)
	}
	if err := missing.Ping(t.Context()); err == nil {
		t.Error("ping of no bucket: no error")
	}
	p.s = s
	down.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Complete(ctx, p.lease); !errors.Is(err, tus.ErrUnavailable) || errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("a store that is down: %v", err)
	}
	if err := s.Ping(ctx); !errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("ping of a store that is down: %v", err)
	}
	down.Store(false)
	if err := p.complete(); err != nil {
		t.Error(err)
	}
}
