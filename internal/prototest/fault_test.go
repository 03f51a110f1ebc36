package prototest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// faulty is a storage with what may go wrong in one.
type faulty struct {
	tus.Storage
	append   func(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error)
	complete func(ctx context.Context, l tus.Lease) (tus.Stored, error)
}

func (f *faulty) Unwrap() tus.Storage { return f.Storage }

func (f *faulty) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	if f.append != nil {
		return f.append(ctx, l, r)
	}
	return f.Storage.Append(ctx, l, r)
}

func (f *faulty) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	if f.complete != nil {
		return f.complete(ctx, l)
	}
	return f.Storage.Complete(ctx, l)
}

func serveFaulty(t *testing.T, rec *recorder, opt tus.Options) (*Server, *faulty) {
	t.Helper()
	f := &faulty{Storage: memstore.New(nil)}
	if rec != nil {
		opt.Hooks = rec.hooks(tus.Finished)
	}
	c := &clock{}
	opt.EnableDownload, opt.Log, opt.Now = true, logger(), c.now
	s := serve(t, memstate.New(&memstate.Options{Now: c.now}), f, opt)
	s.clock = c
	return s, f
}

// fill lets n bytes into the storage, and then it is full.
func (f *faulty) fill(n int64) {
	f.append = func(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
		rc, err := f.Storage.Append(ctx, l, io.LimitReader(r, n))
		return rc, errors.Join(err, fmt.Errorf("faulty: secret-detail: %w", tus.ErrNoSpace))
	}
}

func TestNoSpace(t *testing.T) {
	s, f := serveFaulty(t, nil, tus.Options{})
	want := data(1000)
	url := s.create(t, 1000)
	f.fill(400)
	s.patch(t, url, 0, want).want(t, 507)
	s.at(t, url, 400)
	f.fill(0)
	s.patch(t, url, 400, want[400:]).want(t, 507)
	s.at(t, url, 400)
	s.patch(t, url, 400, want[400:], "Upload-Checksum", checksum("sha1", want[400:])).want(t, 507)
	s.at(t, url, 400)
	f.fill(100)
	s.patch(t, url, 400, want[400:], "Upload-Checksum", checksum("sha1", want[400:])).want(t, 507)
	s.at(t, url, 400) // a part of a checked body was never checked
	a := s.post(t, want, "Upload-Length", "1000", "Content-Type", octets).want(t, 201, 507)
	f.append = nil
	if a.Status == 201 { // CR8: the upload exists, so the client learns where it stands
		made := s.location(t, a)
		s.at(t, made, a.offset(t))
		s.finish(t, made, want)
		s.holds(t, made, want)
	}
	s.patch(t, url, 400, want[400:]).want(t, 204)
	s.holds(t, url, want)
}

// TestStoreSaysNotFound has a storage that answers "not found" at the end: that is not "finished".
func TestStoreSaysNotFound(t *testing.T) {
	for n, fault := range []error{tus.ErrNotFound, tus.ErrUnavailable, errors.New("secret-detail of a store"), context.DeadlineExceeded} {
		var rec recorder
		s, f := serveFaulty(t, &rec, tus.Options{})
		want := data(1000)
		url := s.create(t, 1000)
		f.complete = func(context.Context, tus.Lease) (tus.Stored, error) {
			return tus.Stored{}, fmt.Errorf("faulty: secret-detail: %w", fault)
		}
		if a := s.patch(t, url, 0, want); a.Status < 400 {
			t.Errorf("%v at the end: PATCH answered %d", fault, a.Status)
		}
		for _, a := range []*answer{
			s.do(t, "HEAD", url, nil), s.patch(t, url, 0, want), s.patch(t, url, 500, nil), s.patch(t, url, 1000, nil),
		} {
			if a.Status < 400 || a.Header.Get("Upload-Offset") != "" {
				t.Errorf("%v at the end: %s says %d and that the offset is %q", fault, a.what, a.Status, a.Header.Get("Upload-Offset"))
			}
		}
		rec.none(t, id(url), tus.Finished)
		f.complete = nil
		if n == 0 { // it is the PATCH that finishes it: its answer tells where the upload stands
			s.patch(t, url, 500, "x").want(t, 409).header(t, "Upload-Offset", "1000")
			rec.once(t, id(url), tus.Finished)
		}
		s.holds(t, url, want) // nothing is lost
		rec.once(t, id(url), tus.Finished)
	}
}

// TestCreationThatIsNotFinished has a storage that fails at the end of an upload whose bytes came with its creation: the upload exists, and
// nothing says that it is complete.
func TestCreationThatIsNotFinished(t *testing.T) {
	var rec recorder
	s, f := serveFaulty(t, &rec, tus.Options{})
	want := data(1000)
	f.complete = func(context.Context, tus.Lease) (tus.Stored, error) { return tus.Stored{}, tus.ErrUnavailable }
	a := s.post(t, want, "Upload-Length", "1000", "Content-Type", octets).want(t, 201).header(t, "Upload-Offset", "")
	url := s.location(t, a)
	s.do(t, "HEAD", url, nil).want(t, 503).header(t, "Upload-Offset", "")
	rec.none(t, id(url), tus.Finished)
	f.complete = nil
	s.at(t, url, 1000)
	s.holds(t, url, want)
	rec.once(t, id(url), tus.Finished)
}

// TestCompletionAnswerLost has a storage that does the work and then fails to say so.
func TestCompletionAnswerLost(t *testing.T) {
	var rec recorder
	s, f := serveFaulty(t, &rec, tus.Options{})
	want := data(1000)
	url := s.create(t, 1000)
	times := 0
	f.complete = func(ctx context.Context, l tus.Lease) (tus.Stored, error) {
		times++
		stored, err := f.Storage.Complete(ctx, l)
		if times < 3 {
			return tus.Stored{}, errors.Join(err, tus.ErrUnavailable)
		}
		return stored, err
	}
	s.patch(t, url, 0, want).want(t, 503)
	if a := s.do(t, "HEAD", url, nil); a.Status == 200 && a.offset(t) == 1000 {
		t.Error("HEAD says that the upload is finished, and nobody knows")
	}
	s.holds(t, url, want)
	rec.once(t, id(url), tus.Finished)
}

func TestCorruptUploadFailsLoudly(t *testing.T) {
	for name, stored := range map[string]tus.Stored{
		"wrong size": {Size: 999}, "nothing": {}, "wrong checksum": {Size: 1000, CRC32C: 1, HasCRC32C: true},
	} {
		t.Run(name, func(t *testing.T) {
			var rec recorder
			s, f := serveFaulty(t, &rec, tus.Options{})
			url := s.create(t, 1000)
			f.complete = func(ctx context.Context, l tus.Lease) (tus.Stored, error) {
				_, err := f.Storage.Complete(ctx, l)
				return stored, err
			}
			s.patch(t, url, 0, data(1000)).want(t, 500)
			s.do(t, "HEAD", url, nil).want(t, 404, 410, 500).header(t, "Upload-Offset", "")
			s.do(t, "GET", url, nil).want(t, 404, 410, 500)
			rec.none(t, id(url), tus.Finished)
		})
	}
}

// TestStorageBreaks has a storage that fails in the middle, with a receipt for what it had stored.
func TestStorageBreaks(t *testing.T) {
	for _, fault := range []error{tus.ErrUnavailable, errors.New("secret-detail of a store")} {
		s, f := serveFaulty(t, nil, tus.Options{})
		want := data(100_000)
		url := s.create(t, int64(len(want)))
		f.append = func(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
			rc, err := f.Storage.Append(ctx, l, io.LimitReader(r, 33_333))
			return rc, errors.Join(err, fault)
		}
		if a := s.patch(t, url, 0, want); a.Status < 500 {
			t.Errorf("%v: PATCH answered %d", fault, a.Status)
		}
		s.at(t, url, 33_333)
		f.append = func(context.Context, tus.Lease, io.Reader) (tus.Receipt, error) { return tus.Receipt{}, fault }
		if a := s.patch(t, url, 33_333, want[33_333:]); a.Status < 500 {
			t.Errorf("%v: PATCH answered %d", fault, a.Status)
		}
		s.at(t, url, 33_333)
		f.append = nil
		s.finish(t, url, want)
		s.holds(t, url, want)
	}
}

// TestAnswerToABodyThatIsNotReadToItsEnd has a client that is still sending when it is answered: it gets the answer, and an orderly end
// of the connection, where a reset would make the next byte that it sends fail, and most clients report that instead of the answer.
func TestAnswerToABodyThatIsNotReadToItsEnd(t *testing.T) {
	const size, stored = 200_000, 33_333
	want := data(size)
	for name, send := range map[string]func(t *testing.T, c *conn, url string){
		"Content-Length": func(t *testing.T, c *conn, url string) {
			c.beginPatch(t, url, 0, size+1)
			c.send(t, string(want))
		},
		"chunked": func(t *testing.T, c *conn, url string) {
			c.beginPatch(t, url, 0, -1)
			c.send(t, fmt.Sprintf("%x\r\n%s\r\n", size, want))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, f := serveFaulty(t, nil, tus.Options{})
			url := s.create(t, size+1)
			failed, sent := make(chan struct{}), make(chan struct{})
			f.append = func(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
				rc, err := f.Storage.Append(ctx, l, io.LimitReader(r, stored))
				close(failed)
				<-sent // so that the server has bytes before it which nobody will read
				return rc, errors.Join(err, tus.ErrUnavailable)
			}
			c := s.dial(t)
			send(t, c, url)
			<-failed
			close(sent)
			c.answer(t, "PATCH").want(t, 503).header(t, "Connection", "close")
			if _, err := c.br.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("behind the answer: %v, want the connection's end", err)
			}
			c.send(t, "x") // and a client that does not read yet may go on sending
			f.append = nil
			s.at(t, url, stored)
		})
	}
}

// TestStorageStandsStill has a storage that does not come back: the request does, and the upload goes on later.
func TestStorageStandsStill(t *testing.T) {
	s, f := serveFaulty(t, nil, tus.Options{StoreTimeout: 300 * time.Millisecond, LeaseTTL: time.Second})
	want := data(1000)
	url := s.create(t, 1000)
	var calls atomic.Int32
	f.append = func(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
		calls.Add(1)
		_, _ = io.ReadFull(r, make([]byte, 10))
		<-ctx.Done()
		return tus.Receipt{NextSlot: l.Slots.End()}, ctx.Err()
	}
	if a := s.patch(t, url, 0, want); a.Status < 500 {
		t.Errorf("PATCH answered %d", a.Status)
	}
	if calls.Load() == 0 {
		t.Fatal("the storage was not asked")
	}
	f.append = nil
	s.at(t, url, 0)
	s.finish(t, url, want)
	s.holds(t, url, want)
}
