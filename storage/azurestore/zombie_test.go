package azurestore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/fileloft/fileloft/tus"
)

// staged asks the store which blocks are staged on a blob, and which are in it.
func staged(t *testing.T, s *Store, name string) (uncommitted, committed int) {
	t.Helper()
	l, err := s.client.NewBlockBlobClient(name).GetBlockList(t.Context(), "all", nil)
	if isMissing(err) {
		return 0, 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(l.UncommittedBlocks), len(l.CommittedBlocks)
}

// Blocks that a writer staged whose lease was superseded, before, while and after the upload is completed, are never in the object, and
// are gone when it is removed.
func TestAZombiesBlocksAreNeverInTheList(t *testing.T) {
	s, _ := onAzurite(t, Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append("first,")
	zombie := p.next(9)
	stir := func() {
		t.Helper()
		zombie.Slots.First++ // one slot after the other
		r, err := s.Append(t.Context(), zombie, strings.NewReader("ZOMBIE"))
		if err != nil || r.N != 6 {
			t.Fatalf("zombie: %d bytes, %v", r.N, err)
		}
	}
	zombie.Slots.N += 9
	p.lease.Slots.N += 9
	stir()
	p.append("second,")
	stir()
	p.append("third")
	name := s.stageName(lifeOf(&p.lease.Upload), 0)
	if uncommitted, _ := staged(t, s, name); uncommitted != 5 {
		t.Errorf("%d blocks are staged", uncommitted)
	}
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	stir()
	for range 2 {
		if got := p.object(); got != "first,second,third" {
			t.Errorf("the object is %q", got)
		}
		if _, committed := staged(t, s, string(p.lease.Upload.ID)); committed != 3 {
			t.Errorf("the object has %d blocks", committed)
		}
		if err := p.complete(); err != nil { // again
			t.Error(err)
		}
	}
	stir()
	if left := left(t, s, p.lease.Upload); len(left) != 2 {
		t.Errorf("after a block that came late there is %q", left)
	}
	p.lease.Upload.Phase = tus.Done
	if n, err := s.Collect(t.Context(), time.Now().Add(time.Hour), p.look); n != 1 || err != nil {
		t.Errorf("collect: %d, %v", n, err)
	}
	if left := left(t, s, p.lease.Upload); len(left) != 1 || p.object() != "first,second,third" {
		t.Errorf("collected, there is %q", left)
	}
	stir()
	if err := s.Remove(t.Context(), p.doomed()); err != nil {
		t.Fatal(err)
	}
	if left := left(t, s, p.lease.Upload); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	// After the removal a block makes a blob that nobody sees, but in lists that ask for such ones: a Collect takes it away.
	stir()
	if left := left(t, s, p.lease.Upload); len(left) != 1 {
		t.Errorf("after a block that came late there is %q", left)
	}
	if _, err := s.head(t.Context(), name); !isMissing(err) {
		t.Errorf("a blob of staged blocks alone can be seen: %v", err)
	}
	n, err := s.Collect(t.Context(), time.Now().Add(time.Hour), nobody)
	if n != 1 || err != nil {
		t.Errorf("collect: %d, %v", n, err)
	}
	if left := left(t, s, p.lease.Upload); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if uncommitted, _ := staged(t, s, name); uncommitted > 0 {
		t.Errorf("%d blocks are still staged", uncommitted)
	}
}

func nobody(context.Context, tus.ID, string) (tus.Upload, error) {
	return tus.Upload{}, tus.ErrNotFound
}

// A list throws away what it does not name. So nobody binds a stage while another may still add to it: neither a writer that saw
// fewer blocks in it, nor one that filled it and could not commit that.
func TestAStageIsBoundByItsCommittedListAlone(t *testing.T) {
	s, w := onAzurite(t, Options{})
	s.full = 3
	p := newUpload(t, s, tus.Unknown)
	p.append("a")
	p.append("b")
	zombie := p.next(9) // sees two blocks
	r, err := s.Append(t.Context(), zombie, strings.NewReader("ZOMBIE"))
	if err != nil || r.N != 6 {
		t.Fatalf("zombie: %d bytes, %v", r.N, err)
	}
	p.append("c") // the stage is full now, with another third block
	w.take()
	early := p.next(2000)
	if _, err := s.Append(t.Context(), zombie, strings.NewReader(strings.Repeat("Z", 3000))); !errors.Is(err, errSlots) && err != nil {
		t.Fatal(err)
	}
	if used := w.take(); used["PutBlockList"] > 0 {
		t.Errorf("a writer that did not see the stage full has bound it: %v", used)
	}
	p.append("d") // binds
	if used := w.take(); used["PutBlockList"] != 1 {
		t.Errorf("%v", used)
	}
	// One that saw it full comes late, twice.
	for range 2 {
		if _, err := s.Append(t.Context(), early, strings.NewReader("Z")); err != nil {
			t.Fatal(err)
		}
	}
	p.append("e")
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	if got := p.object(); got != "abcde" {
		t.Errorf("the object is %q", got)
	}
	// And later still.
	if _, err := s.Append(t.Context(), early, strings.NewReader("Z")); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), p.doomed()); err != nil {
		t.Fatal(err)
	}
	if left := left(t, s, p.lease.Upload); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Two lives under one id, or two uploads of one key, do not see each other's blocks; a Remove of the one that comes late takes
// nothing from the other.
func TestALateRemoveTakesNothingOfTheNextLife(t *testing.T) {
	s, _ := onAzurite(t, Options{})
	one := newUpload(t, s, tus.Unknown)
	one.append("one")
	two := newUpload(t, s, tus.Unknown)
	two.lease.Upload.ID, two.lease.Upload.Birth = one.lease.Upload.ID, "another"
	three := newUpload(t, s, tus.Unknown)
	three.lease.Upload.Key = string(one.lease.Upload.ID)
	if err := s.Remove(t.Context(), one.doomed()); err != nil {
		t.Fatal(err)
	}
	two.append("two")
	three.append("three")
	if err := s.Remove(t.Context(), one.doomed()); err != nil {
		t.Fatal(err)
	}
	if err := two.complete(); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), one.doomed()); err != nil {
		t.Fatal(err)
	}
	if err := three.complete(); !errors.Is(err, tus.ErrExists) {
		t.Errorf("the key is taken: %v", err)
	}
	if got := two.object(); got != "two" {
		t.Errorf("the object is %q", got)
	}
	if err := s.Remove(t.Context(), two.doomed()); err != nil {
		t.Fatal(err)
	}
	if err := three.complete(); err != nil { // what it has staged is still there
		t.Fatal(err)
	}
	if got := three.object(); got != "three" {
		t.Errorf("the object is %q", got)
	}
}

// A Copy that takes its time is waited for, and what it is made of is kept until then.
func TestACopyThatTakesItsTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  blob.CopyStatusType
		want error
	}{
		{"it succeeds", blob.CopyStatusTypeSuccess, nil},
		{"it fails", blob.CopyStatusTypeFailed, tus.ErrUnavailable},
	} {
		s, w := onAzurite(t, Options{})
		p := newUpload(t, s, tus.Unknown)
		p.append("bytes that are copied")
		name, looks := s.stageName(lifeOf(&p.lease.Upload), 0), 0
		w.set(func(w *wire) {
			w.edit = func(c call, res *http.Response) {
				status := "pending"
				switch {
				case c.op == "GetBlobProperties" && c.name == string(p.lease.Upload.ID) && res.StatusCode == http.StatusOK:
					if looks++; looks > 3 {
						status = string(tt.end)
					}
				case c.op == "DeleteBlob" && c.name == name && looks <= 3:
					t.Errorf("%s: the source was deleted before that", tt.name)
					return
				case c.op != "CopyBlob":
					return
				}
				res.Header.Set("x-ms-copy-status", status)
			}
		})
		if err := p.complete(); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.name, err)
		}
		w.set(func(w *wire) { w.edit = nil })
		if err := p.complete(); err != nil {
			t.Errorf("%s, again: %v", tt.name, err)
		}
		if got := p.object(); got != "bytes that are copied" {
			t.Errorf("%s: the object is %q", tt.name, got)
		}
	}
}

// One that is removed while it is copied: the copy is ended first, as Azure wants it.
func TestACopyIsEndedByRemove(t *testing.T) {
	s, w := onAzurite(t, Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append("bytes")
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	pending := true
	w.set(func(w *wire) {
		w.edit = func(c call, res *http.Response) {
			if c.op == "GetBlobProperties" && pending {
				res.Header.Set("x-ms-copy-status", "pending")
			}
		}
		w.play = func(c call) (*http.Response, error) {
			if c.op == "AbortCopy" && c.req.URL.Query().Get("copyid") != "" {
				pending = false
				return answer(c.req, http.StatusNoContent, ""), nil
			}
			return nil, nil
		}
	})
	if err := s.Remove(t.Context(), p.doomed()); err != nil || pending {
		t.Errorf("pending: %v, %v", pending, err)
	}
	if left := left(t, s, p.lease.Upload); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A block that is changed on its way is refused by the store, does not count, and the client may send it again.
func TestABlockThatIsChangedOnItsWayDoesNotCount(t *testing.T) {
	s, w := onAzurite(t, Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append("right,")
	w.set(func(w *wire) {
		w.plan = func(c call) fault {
			if c.op == "PutBlock" {
				c.req.Body = io.NopCloser(strings.NewReader("wrnog"))
			}
			return none
		}
	})
	r, err := s.Append(t.Context(), p.next(5), strings.NewReader("wrong"))
	if r.N != 0 || !errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("%d bytes count, %v", r.N, err)
	}
	w.set(func(w *wire) { w.plan = nil })
	p.append("again")
	if err := p.complete(); err != nil {
		t.Fatal(err)
	}
	if got := p.object(); got != "right,again" {
		t.Errorf("the object is %q", got)
	}
}
