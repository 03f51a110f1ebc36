package azurestore

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Whatever single request fails or is answered into the void, the upload comes to its end, right, and leaves nothing.
func TestEveryRequestMayFail(t *testing.T) {
	s, w := onAzurite(t, Options{})
	s.full, s.span = 4, 1500
	var mu sync.Mutex
	var rng *rand.Rand
	shaky := func(call) fault {
		mu.Lock()
		defer mu.Unlock()
		if n := rng.IntN(20); n < 4 {
			return fault(n)
		}
		return none
	}
	s.retry.MaxRetries = 1 // so that many calls fail as a whole
	for seed := range uint64(60) {
		local := rand.New(rand.NewPCG(seed, 3))
		rng = rand.New(rand.NewPCG(seed, 4))
		w.set(func(w *wire) { w.plan = shaky })
		body := strings.Repeat("0123456789abcdefg", 1+local.IntN(400))
		p := newUpload(t, s, int64(len(body)))
		u := &p.lease.Upload
		for u.Offset < u.Length {
			rest := body[u.Offset:]
			if local.IntN(3) > 0 {
				rest = rest[:1+local.IntN(min(len(rest), 2500))]
			}
			r, err := s.Append(t.Context(), p.next(len(rest)), strings.NewReader(rest))
			if err != nil && !errors.Is(err, tus.ErrUnavailable) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if local.IntN(5) > 0 {
				p.take(r, rest)
			}
		}
		insist(t, seed, p.complete)
		w.set(func(w *wire) { w.plan = nil })
		if got := p.object(); got != body {
			t.Fatalf("seed %d: an object of %d bytes is not the %d that were sent", seed, len(got), len(body))
		}
		if seed%2 == 0 { // what Complete could not delete, Collect does
			u.Phase = tus.Done
			w.set(func(w *wire) { w.plan = shaky })
			insist(t, seed, func() error {
				_, err := s.Collect(t.Context(), time.Now().Add(time.Hour), p.look)
				return err
			})
			w.set(func(w *wire) { w.plan = nil })
			if left := left(t, s, *u); len(left) != 1 || p.object() != body {
				t.Errorf("seed %d: collected, there is %q", seed, left)
			}
		}
		w.set(func(w *wire) { w.plan = shaky })
		insist(t, seed, func() error { return s.Remove(t.Context(), p.doomed()) })
		w.set(func(w *wire) { w.plan = nil })
		if left := left(t, s, *u); len(left) > 0 {
			t.Errorf("seed %d: left behind: %q", seed, left)
		}
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

// before has something happen once, just before a request.
func before(w *wire, op string, do func()) (ran *bool) {
	ran = new(bool)
	w.set(func(w *wire) {
		w.plan = func(c call) fault {
			if c.op == op && !*ran {
				*ran = true
				w.set(func(w *wire) { w.plan = nil })
				do()
			}
			return none
		}
	})
	return ran
}

// A Complete or a Concat that froze just before one of its requests, and wakes up after the removal.
func TestACompleteThatIsOvertakenBringsNothingBack(t *testing.T) {
	s, w := onAzurite(t, Options{})
	s.full = 2
	parts := partials(t, s, "some", "parts", "", "of it")
	count := 0
	for _, op := range []string{"PutBlockList", "PutBlockFromURL", "GetBlobProperties", "CopyBlob", "DeleteBlob"} {
		for _, bodies := range []int{0, 1, 2, 3, 4} {
			p := newUpload(t, s, tus.Unknown)
			for range bodies {
				p.append("bytes")
			}
			do := p.complete
			if bodies == 4 { // parts of a Final upload instead
				p = joining(t, s, 14)
				do = func() error {
					_, err := s.Concat(t.Context(), p.lease, parts)
					return err
				}
			} else {
				u := &p.lease.Upload
				u.Length = u.Offset // as Remove knows it
			}
			ran := before(w, op, func() {
				if err := s.Remove(t.Context(), p.doomed()); err != nil {
					t.Error(err)
				}
			})
			err := do()
			w.set(func(w *wire) { w.plan = nil })
			if !*ran {
				continue
			}
			count++
			if err == nil && op != "DeleteBlob" { // by then it was done
				t.Errorf("%s, %d bodies: no error", op, bodies)
			}
			if left := left(t, s, p.lease.Upload); len(left) > 0 {
				t.Errorf("%s, %d bodies: left behind: %q (%v)", op, bodies, left, err)
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
	}
	if count < 18 {
		t.Errorf("%d cases came to happen", count)
	}
}

// A bucket that is missing, or cannot be asked, loses nothing: nobody may take an upload for corrupt because of it.
func TestAStoreThatIsNotThereLosesNothing(t *testing.T) {
	s, w := onAzurite(t, Options{})
	s.full = 2
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	p := newUpload(t, s, tus.Unknown)
	for range 3 {
		p.append("0123456789")
	}
	missing := storeOn(t, s.client, Options{})
	missing.client = elsewhere(t, w, "none-such")
	p.s = missing
	if err := p.complete(); err == nil || errors.Is(err, tus.ErrCorrupt) || errors.Is(err, tus.ErrNotFound) {
		t.Errorf("no container: %v", err)
	}
	if err := missing.Remove(t.Context(), p.doomed()); err == nil {
		t.Error("remove without a container: no error")
	}
	if err := missing.Ping(t.Context()); err == nil {
		t.Error("ping of no container: no error")
	}
	p.s = s
	for _, f := range []fault{lost, busy, void} {
		w.set(func(w *wire) { w.plan = func(call) fault { return f } })
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err := s.Complete(ctx, p.lease); !errors.Is(err, tus.ErrUnavailable) || errors.Is(err, tus.ErrCorrupt) {
			t.Errorf("a store that is down: %v", err)
		}
		if err := s.Ping(ctx); !errors.Is(err, tus.ErrUnavailable) {
			t.Errorf("ping of a store that is down: %v", err)
		}
		cancel()
		w.set(func(w *wire) { w.plan = nil })
	}
	if err := p.complete(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsLostIsNotPublished(t *testing.T) {
	for name, harm := range map[string]func(s *Store, p *uploading) error{
		"the blocks have expired": func(s *Store, p *uploading) error {
			return s.discard(t.Context(), s.stageName(lifeOf(&p.lease.Upload), 1))
		},
		"a stage that was bound is gone": func(s *Store, p *uploading) error {
			return s.remove(t.Context(), s.stageName(lifeOf(&p.lease.Upload), 0), nil)
		},
	} {
		s, _ := onAzurite(t, Options{})
		s.full = 2
		p := newUpload(t, s, tus.Unknown)
		for range 3 {
			p.append("0123456789")
		}
		if err := harm(s, p); err != nil {
			t.Fatal(err)
		}
		if err := p.complete(); !errors.Is(err, tus.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.head(t.Context(), string(p.lease.Upload.ID)); !isMissing(err) {
			t.Errorf("%s: the object was published", name)
		}
	}
}

// Blocks are sent side by side. Of those that arrived only the ones before the first that did not count, and no id is used again.
func TestWhatIsBehindALostBlockDoesNotCount(t *testing.T) {
	s, w := onAzurite(t, Options{})
	s.retry.MaxRetries = -1
	p := newUpload(t, s, tus.Unknown)
	body := strings.Repeat("0123456789", 350) // four blocks, all on their way at once
	lease := p.next(len(body))
	arrived := make(chan struct{}, 4)
	w.set(func(w *wire) {
		w.plan = func(c call) fault {
			if c.req.URL.Query().Get("blockid") != blockID(lease.Slots.First+1) {
				return none
			}
			for range 3 {
				<-arrived
			}
			return lost
		}
		w.edit = func(call, *http.Response) { arrived <- struct{}{} }
	})
	r, err := s.Append(t.Context(), lease, strings.NewReader(body))
	if r.N != 1000 || r.NextSlot != lease.Slots.First+4 || !errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("%d bytes count, the next slot is %d of %+v, %v", r.N, r.NextSlot, lease.Slots, err)
	}
	w.set(func(w *wire) { w.plan, w.edit = nil, nil })
	p.take(r, body)
	p.append(body[1000:])
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	if got := p.object(); got != body {
		t.Errorf("the object is %.30q... of %d bytes", got, len(got))
	}
}

// What the store holds must be as long as what was committed, or it is not published.
func TestABlobOfAnotherLengthIsNotPublished(t *testing.T) {
	s, _ := onAzurite(t, Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append("12345")
	u := &p.lease.Upload
	c, err := parseCursor(u.Cursor)
	if err != nil {
		t.Fatal(err)
	}
	c.Stages[0].Size++
	u.Cursor, u.Offset = c.format(), 6
	if err := p.complete(); !errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if _, err := s.head(t.Context(), string(u.ID)); !isMissing(err) {
		t.Error("the object was published")
	}
}
