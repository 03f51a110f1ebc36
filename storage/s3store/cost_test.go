package s3store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/tus"
)

// An upload is a record and its lease, for one writer without rivals.
type upload struct {
	tb    testing.TB
	s     *Store
	lease tus.Lease
}

func newUpload(tb testing.TB, s *Store, length int64) *upload {
	u := tus.Upload{ID: tus.NewID(), Birth: "birth", Length: length, NextSlot: 1}
	return &upload{tb, s, tus.Lease{Upload: u, Epoch: 1, Slots: tus.Slots{First: 1}}}
}

func (p *upload) append(body string) {
	p.tb.Helper()
	p.lease.Epoch++
	p.lease.Slots = tus.Slots{First: p.lease.Upload.NextSlot, N: p.s.Slots(int64(len(body)))}
	r, err := p.s.Append(p.tb.Context(), p.lease, strings.NewReader(body))
	if err != nil || r.N != int64(len(body)) {
		p.tb.Fatalf("append: %d of %d bytes, %v", r.N, len(body), err)
	}
	u := &p.lease.Upload
	u.Offset, u.Cursor, u.NextSlot = u.Offset+r.N, r.Cursor, r.NextSlot
}

func (p *upload) complete() error {
	u := &p.lease.Upload
	u.Length, u.Phase = u.Offset, tus.Sealed
	p.lease.Slots = tus.Slots{First: u.NextSlot}
	st, err := p.s.Complete(p.tb.Context(), p.lease)
	if err == nil && st.Size != u.Length {
		p.tb.Errorf("complete: %d bytes of %d", st.Size, u.Length)
	}
	return err
}

// What two PATCHes of half a part cost, the first of which leaves a tail and the second makes a part of it: two PUTs, one
// GET, and the deletion of the tail that the part before replaced. No List, no Head, however many parts there are.
func TestTheCostOfAPatchDoesNotGrow(t *testing.T) {
	s, f := onFake(Options{UniformParts: true})
	f.discard = true
	p := newUpload(t, s, tus.Unknown)
	half := strings.Repeat("x", 500)
	want := map[string]int{"PutObject": 1, "UploadPart": 1, "GetObject": 1, "DeleteObject": 1}
	var cursors []int
	for part := range 9_000 {
		f.used()
		p.append(half)
		p.append(half)
		calls, sent, got := f.used()
		if part == 0 {
			continue // it makes the session
		}
		if d := cmp.Diff(want, calls); d != "" || sent != 1500 || got != 500 {
			t.Fatalf("part %d: %d bytes up, %d down; calls (-want +got):\n%s", part+1, sent, got, d)
		}
		if part == 1 || part == 8_999 {
			cursors = append(cursors, len(p.lease.Upload.Cursor))
		}
	}
	if cursors[1] > cursors[0]+16 || cursors[1] > 400 {
		t.Errorf("the cursor grew from %d to %d bytes", cursors[0], cursors[1])
	}
	t.Logf("cursor: %d bytes after 2 parts, %d after 9,000", cursors[0], cursors[1])
	f.used()
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	calls, _, _ := f.used()
	if d := cmp.Diff(map[string]int{"ListParts": 9, "CompleteMultipartUpload": 1, "HeadObject": 1, "DeleteObject": 2}, calls); d != "" {
		t.Errorf("complete (-want +got):\n%s", d)
	}
}

func TestTheCostOfAnUpload(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		want map[string]int
	}{
		{"empty", 0, map[string]int{"HeadObject": 2, "PutObject": 1}},
		{"less than a part", 999, map[string]int{"PutObject": 2, "GetObject": 1, "HeadObject": 2, "DeleteObject": 1}},
		{"one part", 1000, map[string]int{
			"CreateMultipartUpload": 1, "PutObject": 1, "UploadPart": 1, "ListParts": 1, "CompleteMultipartUpload": 1, "HeadObject": 1, "DeleteObject": 1,
		}},
		{"two parts and a half, in one body", 2500, map[string]int{
			"CreateMultipartUpload": 1, "PutObject": 1, "UploadPart": 3, "ListParts": 1, "CompleteMultipartUpload": 1, "HeadObject": 1, "DeleteObject": 1,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, f := onFake(Options{})
			p := newUpload(t, s, int64(c.size))
			if c.size > 0 {
				p.append(strings.Repeat("y", c.size))
			}
			if err := p.complete(); err != nil {
				t.Fatal(err)
			}
			calls, _, _ := f.used()
			if !maps.Equal(calls, c.want) {
				t.Errorf("(-want +got):\n%s", cmp.Diff(c.want, calls))
			}
		})
	}
}

// An upload that comes in long bodies has parts of twice the size, all through, and so half the requests.
func TestLongBodiesMakeLongParts(t *testing.T) {
	s, f := onFake(Options{})
	for _, c := range []struct {
		name  string
		first int
		parts int
	}{
		{"a long first body", 4_000, 5},
		{"a short first body", 3_999, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.used()
			p := newUpload(t, s, 10_000)
			p.append(strings.Repeat("a", c.first))
			p.append(strings.Repeat("b", 10_000-c.first))
			calls, _, _ := f.used()
			if calls["UploadPart"] != c.parts {
				t.Errorf("%d parts, want %d: %v", calls["UploadPart"], c.parts, calls)
			}
			if err := p.complete(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Bodies that do not divide the part size are as cheap as those that do: the parts are made to fit the first.
func TestPartsFitTheBodies(t *testing.T) {
	for _, body := range []int{100, 300, 450, 600, 999} {
		s, f := onFake(Options{})
		p := newUpload(t, s, 100_000)
		a := (1000 + body - 1) / body // bodies that make a part
		for range a {
			p.append(strings.Repeat("a", body))
		}
		f.used()
		for range 3 * a {
			p.append(strings.Repeat("b", body))
		}
		want := map[string]int{"PutObject": 3 * (a - 1), "UploadPart": 3, "GetObject": 3 * (a - 1), "DeleteObject": 3 * (a - 1)}
		if calls, _, _ := f.used(); !maps.Equal(calls, want) {
			t.Errorf("bodies of %d (-want +got):\n%s", body, cmp.Diff(want, calls))
		}
		p.append(strings.Repeat("c", 100_000-4*a*body))
		if err := p.complete(); err != nil {
			t.Errorf("bodies of %d: %v", body, err)
		}
	}
}

// A body that has parts of its own on the way waits for them when memory is short: a tail would be sent twice.
func TestShortOfMemoryABodyWaitsForItsOwnParts(t *testing.T) {
	s, f := onFake(Options{PartSize: 8 << 20, Memory: 20 << 20})
	f.discard, f.slow = true, 20*time.Millisecond
	p := newUpload(t, s, 80<<20)
	p.append(strings.Repeat("z", 80<<20))
	if calls, _, _ := f.used(); calls["GetObject"] > 0 || calls["UploadPart"] != 5 {
		t.Errorf("tails were made: %v", calls)
	}
}

// Where crashes have burnt all part numbers, what is still to come is collected for the last one, which is Complete's.
func TestNumbersMayRunOut(t *testing.T) {
	s, f := onFake(Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append(strings.Repeat("a", 2500))
	p.lease.Upload.NextSlot = 9_999
	for range 100 {
		p.append(strings.Repeat("b", 700))
	}
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("a", 2500) + strings.Repeat("b", 70_000)
	if got := string(f.objects[string(p.lease.Upload.ID)].data); got != want {
		t.Errorf("an object of %d bytes, not the %d that were sent", len(got), len(want))
	}
}

// The worst cursor: every other number lost, all tails in use, and all of them just dropped.
func TestTheWorstCursorIsSmallEnough(t *testing.T) {
	c := cursor{Session: strings.Repeat("s", 200), Part: maxPartSize}
	for n := uint32(2); n < maxNumber; n += 2 {
		c.addPart(n)
	}
	for range 2 {
		c.dropTails()
		for range maxTails {
			c.addTail(tail{fresh(1 << 40), 64 << 20}, bytes.Repeat([]byte{1}, 90))
		}
	}
	b := c.format()
	if len(b) > tus.MaxCursor {
		t.Errorf("%d bytes", len(b))
	}
	back, err := parseCursor(b)
	_ = err // the sums are made up
	if len(back.runs) != len(c.runs) {
		t.Errorf("%d runs instead of %d", len(back.runs), len(c.runs))
	}
}

// stalled sends some bytes, and then nothing until it is let go.
type stalled struct {
	left int
	free <-chan struct{}
}

func (r *stalled) Read(p []byte) (int, error) {
	if r.left == 0 {
		<-r.free
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	clear(p[:n])
	r.left -= n
	return n, nil
}

// Five hundred clients that have sent something and sleep stop nobody, even where there is no memory left at all.
func TestStalledClientsStopNobody(t *testing.T) {
	s, f := onFake(Options{PartSize: 8 << 20, Memory: 8 << 20})
	f.discard = true
	free := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			u := tus.Upload{ID: tus.ID(fmt.Sprintf("stalled-%d", i)), Birth: "b", Length: 1 << 30}
			_, err := s.Append(t.Context(), tus.Lease{Upload: u, Epoch: 1, Slots: tus.Slots{First: 1, N: 9}}, &stalled{200 << 10, free})
			if err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	p := newUpload(t, s, 20<<20)
	p.append(strings.Repeat("z", 20<<20))
	close(free)
	wg.Wait()
	if !s.memory.TryAcquire(8 << 20) {
		t.Error("memory was not given back")
	}
}

func TestWhatIsLostIsNotPublished(t *testing.T) {
	for name, harm := range map[string]func(*fake){
		"a part is gone": func(f *fake) { delete(f.sessions["session/1"].parts, 2) },
		"a part was replaced by another of its length": func(f *fake) {
			f.sessions["session/1"].parts[1] = fakePart{make([]byte, 1000), 1000, make([]byte, 16)}
		},
		"a tail is gone": func(f *fake) {
			maps.DeleteFunc(f.objects, func(k string, _ *fakeObject) bool { return strings.Contains(k, "/"+tailPrefix) })
		},
	} {
		s, f := onFake(Options{})
		p := newUpload(t, s, tus.Unknown)
		p.append(strings.Repeat("q", 2500))
		harm(f)
		if err := p.complete(); !errors.Is(err, tus.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if f.objects[string(p.lease.Upload.ID)] != nil {
			t.Errorf("%s: the object was published", name)
		}
	}
}
