package azurestore

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// Two that complete one upload: what the second commits, or binds, is what the first has made, to the ETag. So neither keeps the
// other from publishing.
func TestTwoThatCompleteDoNotDisturbEachOther(t *testing.T) {
	for bodies := range 4 {
		s, w := onAzurite(t, Options{})
		s.full = 2
		p := newUpload(t, s, tus.Unknown)
		for range bodies {
			p.append("bytes")
		}
		u := &p.lease.Upload
		u.Length, u.Phase = u.Offset, tus.Sealed
		ran := before(w, "CopyBlob", func() {
			c, err := parseCursor(u.Cursor)
			if err != nil {
				t.Fatal(err)
			}
			late := p.lease
			late.Epoch++
			if _, _, err := s.assemble(t.Context(), &late, &c); err != nil {
				t.Errorf("%d bodies: the other: %v", bodies, err)
			}
		})
		if err := p.complete(); err != nil || !*ran {
			t.Errorf("%d bodies: %v, %v", bodies, *ran, err)
		}
		if err := s.Remove(t.Context(), p.doomed()); err != nil {
			t.Error(err)
		}
		if left := left(t, s, *u); len(left) > 0 {
			t.Errorf("%d bodies: left behind: %q", bodies, left)
		}
	}
}

// One that completes while the other is done already, and has deleted what it made the object of.
func TestACompleteThatIsOvertakenByAnotherSucceeds(t *testing.T) {
	for _, op := range []string{"PutBlockList", "PutBlockFromURL", "GetBlobProperties", "CopyBlob"} {
		for bodies := range 5 {
			s, w := onAzurite(t, Options{})
			s.full = 2
			p := newUpload(t, s, tus.Unknown)
			for range bodies {
				p.append("bytes")
			}
			ran := before(w, op, func() {
				other := *p
				other.lease.Epoch++
				if err := other.complete(); err != nil {
					t.Errorf("%s, %d bodies: the other: %v", op, bodies, err)
				}
			})
			if err := p.complete(); err != nil {
				t.Errorf("%s, %d bodies: %v", op, bodies, err)
			}
			if !*ran && op != "PutBlockFromURL" {
				t.Errorf("%s, %d bodies: it did not come to that", op, bodies)
			}
			if got := p.object(); got != strings.Repeat("bytes", bodies) {
				t.Errorf("%s, %d bodies: the object is %q", op, bodies, got)
			}
		}
	}
}

// A Complete that copies between the two requests by which a Remove discards a stage: what is there then is nobody's.
func TestWhatIsBeingDiscardedIsNotPublished(t *testing.T) {
	s, w := onAzurite(t, Options{})
	p := newUpload(t, s, tus.Unknown)
	p.append("bytes")
	stage := s.client.NewBlockBlobClient(s.stageName(lifeOf(&p.lease.Upload), 0))
	ran := before(w, "CopyBlob", func() {
		if _, err := stage.CommitBlockList(t.Context(), nil, nil); err != nil {
			t.Error(err)
		}
	})
	if err := p.complete(); err == nil || !*ran {
		t.Errorf("%v, %v", *ran, err)
	}
	if o, err := s.head(t.Context(), string(p.lease.Upload.ID)); !isMissing(err) {
		t.Errorf("the object is there: %+v, %v", o, err)
	}
}

// A Remove in whose middle, after it has listed, a late Complete joins the stages, and publishes them when the Remove has
// ended: it must not find them any more.
func TestRemoveSeesWhatIsJoinedWhileItRemoves(t *testing.T) {
	s, w := onAzurite(t, Options{Parallel: 1})
	s.full = 2
	p := newUpload(t, s, tus.Unknown)
	for range 5 {
		p.append("bytes")
	}
	late := p.lease
	late.Upload.Length, late.Upload.Phase = late.Upload.Offset, tus.Sealed
	c, err := parseCursor(late.Upload.Cursor)
	if err != nil {
		t.Fatal(err)
	}
	var joined *object
	ran := before(w, "PutBlockList", func() {
		if joined, _, err = s.assemble(t.Context(), &late, &c); err != nil {
			t.Error(err)
		}
	})
	if err := s.Remove(t.Context(), p.doomed()); err != nil || !*ran {
		t.Fatal(*ran, err)
	}
	if err := s.publish(t.Context(), string(late.Upload.ID), joined); !isMissing(err) {
		t.Errorf("the late Complete: %v", err)
	}
	if left := left(t, s, late.Upload); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// One that completes an upload without bytes, or joins parts without any, while another one cannot look whether the upload was removed, or
// cannot copy: that takes nothing from it.
func TestOneThatFailsTakesNothingFromAnother(t *testing.T) {
	s, w := onAzurite(t, Options{})
	parts := partials(t, s, "", "")
	for _, op := range []string{"GetBlobProperties", "CopyBlob"} {
		for _, role := range []tus.Role{tus.Whole, tus.Final} {
			p := joining(t, s, 0)
			u := &p.lease.Upload
			u.Concat.Role = role
			do := func(l tus.Lease) (err error) {
				if role == tus.Final {
					_, err = s.Concat(t.Context(), l, parts)
				} else {
					_, err = s.Complete(t.Context(), l)
				}
				return err
			}
			ran := before(w, "CopyBlob", func() {
				w.set(func(w *wire) {
					w.play = func(c call) (*http.Response, error) {
						if c.op == op && (op == "CopyBlob" || strings.HasSuffix(c.name, "/"+signName)) {
							return answer(c.req, http.StatusServiceUnavailable, "ServerBusy"), nil
						}
						return nil, nil
					}
				})
				other := p.lease
				other.Epoch++
				if err := do(other); !errors.Is(err, tus.ErrUnavailable) {
					t.Errorf("%s, %v: the other: %v", op, role, err)
				}
				w.set(func(w *wire) { w.play = nil })
			})
			if err := do(p.lease); err != nil || !*ran {
				t.Errorf("%s, %v: %v, %v", op, role, *ran, err)
			}
			if left := left(t, s, *u); len(left) != 1 {
				t.Errorf("%s, %v: there is %q", op, role, left)
			}
		}
	}
}

// What is copied is kept also where nobody can tell how far the copy has come.
func TestACopyThatCannotBeLookedAt(t *testing.T) {
	s, w := onAzurite(t, Options{})
	s.full = 2
	p := newUpload(t, s, tus.Unknown)
	for range 3 {
		p.append("bytes")
	}
	parts, final := partials(t, s, "some", "parts"), joining(t, s, 9)
	copied := false
	w.set(func(w *wire) {
		w.edit = func(c call, res *http.Response) {
			if c.op == "CopyBlob" {
				copied = true
				res.Header.Set("x-ms-copy-status", "pending")
			}
		}
		w.play = func(c call) (*http.Response, error) {
			switch {
			case c.op == "GetBlobProperties" && copied:
				return answer(c.req, http.StatusServiceUnavailable, "ServerBusy"), nil
			case c.op == "DeleteBlob":
				t.Errorf("%s was deleted", c.name)
			}
			return nil, nil
		}
	})
	if err := p.complete(); !errors.Is(err, tus.ErrUnavailable) || !copied {
		t.Error(copied, err)
	}
	copied = false
	if _, err := s.Concat(t.Context(), final.lease, parts); !errors.Is(err, tus.ErrUnavailable) || !copied {
		t.Error(copied, err)
	}
}
