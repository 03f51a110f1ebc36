package azurestore

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Azure's own checksum of blobs, not a secret's
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/tus"
)

// nowhere returns a Store whose requests end on this side of the network, with an answer to each.
func nowhere(tb testing.TB, o Options, play func(call) (*http.Response, error)) (*Store, *wire) {
	tb.Helper()
	w := &wire{play: play}
	client, err := container.NewClientWithNoCredential("https://a.blob.core.windows.net/c", &container.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: w},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return storeOn(tb, client, o), w
}

// empty answers as a container without blobs does.
func empty(c call) (*http.Response, error) {
	switch c.op {
	case "PutBlock":
		if _, err := readAll(c.req); err != nil {
			return nil, err
		}
		return answer(c.req, http.StatusCreated, ""), nil
	case "PutBlockList":
		return answer(c.req, http.StatusBadRequest, "InvalidBlockList"), nil
	}
	return answer(c.req, http.StatusNotFound, "BlobNotFound"), nil
}

func readAll(req *http.Request) (int64, error) {
	b := make([]byte, 32<<10)
	for n := int64(0); ; {
		k, err := req.Body.Read(b)
		n += int64(k)
		if err != nil {
			if n != req.ContentLength {
				return n, fmt.Errorf("a body of %d bytes of %d: %w", n, req.ContentLength, err)
			}
			return n, nil
		}
	}
}

// FuzzCursor: a cursor that is not this driver's is refused or leads nowhere, and never to a panic.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		"", "{}", "1 7", `{"v":1}`, `{"v":1,"s":[{"n":0,"l":10,"b":"AQE="}]}`, `{"v":1,"s":[{"n":0,"l":-5,"b":"AQE="}]}`,
		`{"v":1,"s":[{"n":1,"l":10,"b":"AQE="}]}`, `{"v":1,"s":[{"n":0,"l":10,"b":"AQE=","k":2}]}`, `{"v":1,"s":[{"n":0,"l":10,"k":2}]}`,
		`{"v":1,"s":[{"n":0,"l":5,"b":"AQE=","k":1},{"n":1,"l":5,"b":"AgE="}]}`, `{"v":1,"s":[{"n":0,"l":5,"b":"AQE="},{"n":1,"l":5,"b":"AgE="}]}`,
		`{"v":1,"s":[{"n":0,"l":10,"b":"/////w8B"}]}`, `{"v":1,"s":[{"n":0,"l":10,"b":"AQE="}],"h":"AAAA"}`,
	} {
		f.Add(s)
	}
	s, _ := nowhere(f, Options{}, empty)
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
		lease := tus.Lease{Epoch: 1, Slots: tus.Slots{First: 5, N: 5}, Upload: tus.Upload{ID: tus.NewID(), Birth: "b", Length: 10, Cursor: tus.Cursor(text)}}
		_, _ = s.Append(context.Background(), lease, strings.NewReader("0123456789"))
		lease.Upload.Offset, lease.Upload.Phase = 10, tus.Sealed
		if _, err := s.Complete(context.Background(), lease); err == nil {
			t.Errorf("cursor %q was completed", text)
		}
	})
}

// Blocks come back in their order, whatever slots they have, and no cursor grows beyond what a record may hold.
func TestCursorsStaySmall(t *testing.T) {
	most := 60_000
	if testing.Short() {
		most = 5000
	}
	for _, tt := range []struct {
		name           string
		gap            func(*rand.Rand) uint32
		bound, unbound int // blocks that there is room for, of as many as 60,000
	}{
		{"one writer", func(*rand.Rand) uint32 { return 0 }, 60_000, 60_000},
		{"a crash at every block", func(*rand.Rand) uint32 { return 1 }, 60_000, 2900},
		{"a crash now and then", func(r *rand.Rand) uint32 { return max(r.Uint32N(100), 98) - 98 }, 60_000, 50_000},
		{"crashes of rounds", func(r *rand.Rand) uint32 { return r.Uint32N(275) }, 60_000, 1900},
		{"crashes of 4,096", func(*rand.Rand) uint32 { return 4096 }, 30_000, 1400},
		{"crashes of long bodies", func(r *rand.Rand) uint32 { return r.Uint32N(70_000) }, 4000, 1200},
		{"crashes of the longest", func(*rand.Rand) uint32 { return 1 << 20 }, 400, 400},
	} {
		name, gap := tt.name, tt.gap
		for _, binds := range []bool{true, false} {
			rng := rand.New(rand.NewPCG(1, 2))
			c, next, n, longest := cursor{Sum: packMD5(md5.New())}, uint32(1), 0, 0
			var want, got []string
			var err error
			for ; n < most; n++ {
				g := gap(rng)
				if err = c.room(); err != nil || uint64(next)+uint64(g) > math.MaxUint32-2 {
					break
				}
				next += g
				want = append(want, blockID(next))
				c.add(next, maxBlock/8000, fullBlocks)
				next++
				if n%97 == 0 || n < 10 {
					b := c.format()
					longest = max(longest, len(b))
					if c, err = parseCursor(b); err != nil {
						t.Fatal(err)
					}
				}
				for _, st := range c.unbound() {
					if binds {
						got = append(got, st.ids()...)
						c.bind([]uint32{st.N})
					}
				}
			}
			for _, st := range c.Stages {
				got = append(got, st.ids()...)
			}
			longest = max(longest, len(c.format()))
			if strings.Join(got, "") != strings.Join(want, "") {
				t.Errorf("%s: %d blocks come back of %d, or in another order", name, len(got), len(want))
			}
			if longest > tus.MaxCursor {
				t.Errorf("%s: a cursor of %d bytes", name, longest)
			}
			least := tt.unbound
			if binds {
				least = tt.bound
			}
			if n < min(least, most) || n < most && err == nil {
				t.Errorf("%s, bound: %v: %v after %d blocks", name, binds, err, n)
			}
			t.Logf("%-24s bound: %-5v %5d blocks in %3d stages, at most %5d bytes, %v", name, binds, n, len(c.Stages), longest, err)
		}
	}
}

// As many stages as there may be, and as many slots in those that are not bound.
func TestTheWorstCursorIsSmallEnough(t *testing.T) {
	c := cursor{Sum: packMD5(md5.New())}
	for i := range maxStages {
		c.Stages = append(c.Stages, stage{N: uint32(i), Size: maxBlob / maxStages, State: bound})
	}
	for i := range c.Stages[maxStages-3:] {
		st := &c.Stages[maxStages-3+i]
		st.State = full
		for slot := uint32(i); len(st.Packed) < stagePacked; slot += 1 << 16 {
			st.add(slot)
		}
	}
	b := c.format()
	if len(b) > tus.MaxCursor {
		t.Errorf("%d bytes", len(b))
	}
	if back, err := parseCursor(b); err != nil || len(back.Stages) != maxStages {
		t.Errorf("%d stages, %v", len(back.Stages), err)
	}
	t.Logf("%d bytes", len(b))
}

func TestBlockIDsHaveOneLength(t *testing.T) {
	for _, slot := range []uint32{0, 1, 255, 1 << 16, math.MaxUint32} {
		if id := blockID(slot); len(id) != len(blockID(7)) || strings.ContainsAny(id, "=") {
			t.Errorf("slot %d: %q", slot, id)
		}
	}
}

func TestABodyCanBeRewound(t *testing.T) {
	b := &body{data: [][]byte{[]byte("abc"), {}, []byte("defgh")}, size: 8}
	for range 2 {
		var got bytes.Buffer
		if n, err := got.ReadFrom(b); n != 8 || err != nil || got.String() != "abcdefgh" {
			t.Errorf("%q, %v", got.String(), err)
		}
		if at, err := b.Seek(0, 0); at != 0 || err != nil {
			t.Errorf("%d, %v", at, err)
		}
	}
	if _, err := b.Seek(9, 0); err == nil {
		t.Error("a place behind the end: no error")
	}
	b.end()
	if n, err := b.Read(make([]byte, 3)); n != 0 || !errors.Is(err, errOver) {
		t.Errorf("after its end: %d, %v", n, err)
	}
}
