package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"
)

// An upload is one that a client is at: a whole file, or a part of one.
type upload struct {
	*load
	piece piece
	data  []byte
	id    string // "" until an answer told it
	final bool   // joined from others: there is nothing to send

	announced bool // HEAD has told the length

	gotOn func() // called when it did

	mu    sync.Mutex
	acked int64    // the highest offset that any answer told
	best  int64    // the same, whatever was taken back
	told  string   // the last answer that asked for another try
	log   []string // what went wrong last, without an answer
}

// A finding is what must not be.
type finding struct {
	class string // lost, corrupt, stuck, refused, left
	text  string
}

func (f *finding) Error() string { return f.class + ": " + f.text }

func found(class, format string, args ...any) error {
	return &finding{class, fmt.Sprintf(format, args...)}
}

const octets = "application/offset+octet-stream"

// bring takes one file through.
func (l *load) bring(ctx context.Context, r *rand.Rand, f *file) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tired := time.AfterFunc(l.patience, cancel)
	defer tired.Stop()
	gotOn := func() { tired.Reset(l.patience) }
	data := f.bytes()
	if f.kind == joined {
		return l.join(ctx, r, f, data, gotOn)
	}
	u := &upload{load: l, piece: piece{f.n, 0, f.size}, data: data, gotOn: gotOn}
	if err := u.create(ctx, r, f.kind); err != nil {
		return err
	}
	if f.kind == deleted {
		if err := u.send(ctx, r, f.size/2, false); err != nil {
			return err
		}
		return u.remove(ctx, r)
	}
	if err := u.send(ctx, r, f.size, f.kind == later); err != nil {
		return err
	}
	return u.verify(ctx, r)
}

// join brings a file in as up to four parts, and has the server put them together.
func (l *load) join(ctx context.Context, r *rand.Rand, f *file, data []byte, gotOn func()) error {
	n := int64(1 + r.IntN(4))
	parts := make([]*upload, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		from, to := f.size*i/n, f.size*(i+1)/n
		u := &upload{load: l, piece: piece{f.n, from, to}, data: data[from:to], gotOn: gotOn}
		parts[i] = u
		pr := rand.New(rand.NewPCG(r.Uint64(), uint64(i)))
		wg.Go(func() {
			if errs[i] = u.create(ctx, pr, plain, "Upload-Concat", "partial"); errs[i] == nil {
				errs[i] = u.send(ctx, pr, int64(len(u.data)), false)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	list := "final;"
	for i, p := range parts {
		if i > 0 {
			list += " "
		}
		list += l.path + p.id
	}
	u := &upload{load: l, piece: piece{f.n, 0, f.size}, data: data, gotOn: gotOn, final: true}
	if err := u.create(ctx, r, joined, "Upload-Concat", list); err != nil {
		return err
	}
	if err := u.send(ctx, r, f.size, false); err != nil { // which asks, and has nothing to send
		return err
	}
	return u.verify(ctx, r)
}

// create repeats a POST until it is answered by 201.
func (u *upload) create(ctx context.Context, r *rand.Rand, k kind, headers ...string) error {
	size := strconv.Itoa(len(u.data))
	headers = append(headers, "Upload-Metadata", u.piece.metadata())
	body := 0
	switch k {
	case joined:
	case later:
		headers = append(headers, "Upload-Defer-Length", "1")
	case withIt:
		body = int(min(int64(len(u.data)), u.setup.body, 1+r.Int64N(4<<20)))
		headers = append(headers, "Content-Type", octets)
		fallthrough
	default:
		headers = append(headers, "Upload-Length", size)
	}
	for {
		a, err := u.ask(ctx, r, &request{method: http.MethodPost, body: u.data[:body], headers: headers})
		switch {
		case ctx.Err() != nil:
			return u.late("creating")
		case err != nil || a.transient():
			u.pause(ctx, r)
			continue
		case a.status != http.StatusCreated:
			return found("refused", "%v: POST %v: %s", u.piece, headers, a)
		}
		u.id = path.Base(a.header.Get("Location"))
		u.gotOn()
		if v := a.header.Get("Upload-Offset"); v != "" {
			return u.learn(a, 0)
		}
		return nil
	}
}

// send brings the upload to an offset, whatever answers say. Announced late, the length comes with the last bytes.
func (u *upload) send(ctx context.Context, r *rand.Rand, to int64, announce bool) error {
	size := int64(len(u.data))
	for complete, failed := false, false; !complete; {
		before := u.offset()
		var err error
		switch {
		case before >= to && !announce || r.IntN(10) == 0 || u.final || failed && u.setup.byTheBook:
			complete, err = u.look(ctx, r, to)
			announce = announce && !u.announced
			complete = complete && !(announce && u.setup.byTheBook)
		default:
			n := min(size-before, u.setup.body, 1+r.Int64N(stride(u.piece.file, size)))
			last := announce && before+n == size
			if err = u.patch(ctx, r, before, n, last); err == nil && last && u.offset() == size {
				announce = false
			}
			// fileloft promises that no answer tells an upload's end before the object is in place: so it is looked for at once.
			complete = !u.setup.byTheBook && !announce && to == size && u.offset() == size
		}
		if ctx.Err() != nil {
			return u.late("sending")
		}
		var f *finding
		if errors.As(err, &f) {
			return err
		}
		if failed = err != nil; failed {
			u.pause(ctx, r)
		}
	}
	return nil
}

// look asks how far the upload is, and whether it has come to an offset.
func (u *upload) look(ctx context.Context, r *rand.Rand, to int64) (bool, error) {
	before := u.offset()
	a, err := u.ask(ctx, r, &request{method: http.MethodHead, id: u.id})
	switch {
	case err != nil:
		return false, err
	case a.status == http.StatusOK || a.status == http.StatusNoContent:
		if err := u.learn(a, before); err != nil {
			return false, err
		}
		u.announced = u.setup.byTheBook && a.header.Get("Upload-Length") != ""
		// Of a file without bytes nothing is missing but its length.
		return u.offset() >= to && a.header.Get("Upload-Defer-Length") == "", nil
	case a.transient():
		return false, fmt.Errorf("%s", a)
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		return false, found("lost", "%s at %d: HEAD: %s", u.id, before, a)
	}
	return false, found("refused", "%s: HEAD: %s", u.id, a)
}

// remove deletes the upload, and makes sure that it stays away.
func (u *upload) remove(ctx context.Context, r *rand.Rand) error {
	for gone := false; ; {
		method := http.MethodDelete
		if gone {
			method = http.MethodHead
		}
		a, err := u.ask(ctx, r, &request{method: method, id: u.id})
		switch {
		case ctx.Err() != nil:
			return u.late("deleting")
		case err != nil || a.transient() || a.status == http.StatusConflict:
			u.pause(ctx, r)
		case a.status == http.StatusNotFound || a.status == http.StatusGone:
			return nil
		case a.status == http.StatusNoContent && !gone:
			gone = true
		case gone:
			return found("corrupt", "%s was deleted, and is there: %s", u.id, a)
		default:
			return found("refused", "%s: DELETE: %s", u.id, a)
		}
	}
}

// verify holds a complete upload against what was sent: as it is in the store, at once; where that cannot be reached, as the server hands it out.
func (u *upload) verify(ctx context.Context, r *rand.Rand) error {
	u.tally.add("uploads finished", 1)
	u.tally.add("bytes finished", len(u.data))
	if u.setup.stores != nil {
		return u.inStore(ctx)
	}
	for {
		a, err := u.ask(ctx, r, &request{method: http.MethodGet, id: u.id, keep: true})
		switch {
		case ctx.Err() != nil:
			return u.late("reading")
		case err != nil || a.transient():
			u.pause(ctx, r)
		case a.status == http.StatusOK && bytes.Equal(a.body, u.data):
			return nil
		case a.status == http.StatusNoContent && len(u.data) == 0:
			return nil
		default:
			return found("corrupt", "%s is complete, and GET yields %d bytes that are not the %d sent: %s", u.id, len(a.body), len(u.data), a)
		}
	}
}

func (u *upload) late(doing string) error {
	return found("stuck", "%s (%v): %s, and got on no more for %v, at %d of %d; last: %v", u.id, u.piece, doing, u.patience, u.offset(), len(u.data), u.last())
}

// pause waits as a client does before it tries again.
func (u *upload) pause(ctx context.Context, r *rand.Rand) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(50+r.IntN(450)) * time.Millisecond):
	}
}
