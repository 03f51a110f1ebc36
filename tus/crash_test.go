package tus_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// errDead is what a process that was killed gets from its ports: nothing it does reaches anything any more.
var errDead = errors.New("killed")

// A crash kills a process at its n-th call to a port: before the call is carried out, or after it and before its
// answer is back.
//
// With sleep set it freezes the process instead: at that call everything stands still for so long, and then goes
// on as if nothing had been.
type crash struct {
	at    int
	after bool
	sleep time.Duration

	mu    sync.Mutex
	calls int
	dead  bool
	ice   chan struct{} // closed when the process freezes
	thaw  time.Time
}

func newCrash(at int, after bool, sleep time.Duration) *crash {
	return &crash{at: at, after: after, sleep: sleep, ice: make(chan struct{})}
}

// count returns how many calls were made. What is still frozen may make more.
func (c *crash) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// gone reports whether the process no longer answers.
func (c *crash) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead || !c.thaw.IsZero()
}

// enter decides what becomes of a call.
func (c *crash) enter() (hit bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return false, errDead
	}
	c.calls++
	if c.calls != c.at {
		return false, nil
	}
	if c.sleep > 0 {
		c.thaw = time.Now().Add(c.sleep)
		close(c.ice)
		return true, nil
	}
	c.dead = true
	return true, errDead
}

// melt waits until the process is not frozen.
func (c *crash) melt() {
	c.mu.Lock()
	thaw := c.thaw
	c.mu.Unlock()
	time.Sleep(time.Until(thaw))
}

// step runs one call of a port.
func (c *crash) step(call func() error) error {
	hit, err := c.enter()
	if hit && c.after {
		e := call()
		if err == nil { // frozen, not killed: the answer comes late
			c.melt()
			return e
		}
	}
	if err != nil {
		return err
	}
	c.melt()
	return call()
}

type crashState struct {
	tus.State
	c *crash
}

func (s crashState) Unwrap() tus.State { return s.State }

func (s crashState) Create(ctx context.Context, u tus.Upload, c tus.Claim) (l tus.Lease, err error) {
	err = s.c.step(func() error { l, err = s.State.Create(ctx, u, c); return err })
	return l, err
}

func (s crashState) Load(ctx context.Context, id tus.ID) (u tus.Upload, err error) {
	err = s.c.step(func() error { u, err = s.State.Load(ctx, id); return err })
	return u, err
}

func (s crashState) Acquire(ctx context.Context, id tus.ID, c tus.Claim) (l tus.Lease, err error) {
	err = s.c.step(func() error { l, err = s.State.Acquire(ctx, id, c); return err })
	return l, err
}

func (s crashState) Commit(ctx context.Context, l tus.Lease, u tus.Upload, c tus.Claim) (n tus.Lease, err error) {
	err = s.c.step(func() error { n, err = s.State.Commit(ctx, l, u, c); return err })
	return n, err
}

func (s crashState) Delete(ctx context.Context, l tus.Lease) (err error) {
	return s.c.step(func() error { return s.State.Delete(ctx, l) })
}

type crashStorage struct {
	*memstore.Store
	c *crash
}

func (s crashStorage) Append(ctx context.Context, l tus.Lease, r io.Reader) (rc tus.Receipt, err error) {
	err = s.c.step(func() error { rc, err = s.Store.Append(ctx, l, r); return err })
	return rc, err
}

func (s crashStorage) Complete(ctx context.Context, l tus.Lease) (st tus.Stored, err error) {
	err = s.c.step(func() error { st, err = s.Store.Complete(ctx, l); return err })
	return st, err
}

func (s crashStorage) Concat(ctx context.Context, l tus.Lease, p []tus.Upload) (st tus.Stored, err error) {
	err = s.c.step(func() error { st, err = s.Store.Concat(ctx, l, p); return err })
	return st, err
}

func (s crashStorage) Remove(ctx context.Context, l tus.Lease) error {
	return s.c.step(func() error { return s.Store.Remove(ctx, l) })
}

// A world is a state and a storage that outlive processes, one process at a time, and a client that retries.
type world struct {
	t       *testing.T
	state   *memstate.Store
	storage *memstore.Store
	opt     tus.Options
	crash   *crash
	h       *tus.Handler
	woken   sync.WaitGroup // requests that may outlive the scenario, frozen
	mu      sync.Mutex
	events  map[string]int   // deliveries by event id
	acked   map[string]int64 // the highest offset that the client was told, by location
}

func newWorld(t *testing.T, opt tus.Options, c *crash) *world {
	w := &world{
		t: t, state: memstate.New(nil), storage: memstore.New(&memstore.Options{PartSize: 64}), opt: opt, crash: c,
		events: map[string]int{}, acked: map[string]int64{},
	}
	w.opt.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	w.start()
	return w
}

// start begins a process, the crash still ahead of it or not.
func (w *world) start() {
	c := w.crash
	opt := w.opt
	opt.Hooks.Event = func(_ context.Context, e tus.Event) error {
		return c.step(func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events[e.ID]++
			return nil
		})
	}
	h, err := tus.NewHandler(crashState{w.state, c}, crashStorage{w.storage, c}, &opt)
	if err != nil {
		w.t.Fatal(err)
	}
	w.h = h
}

// do sends a request. It returns nil where the answer was lost: the process died in between.
func (w *world) do(method, path string, body []byte, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	done := make(chan struct{})
	h := w.h
	w.woken.Go(func() {
		defer close(done)
		h.ServeHTTP(rec, r)
	})
	select {
	case <-done:
	case <-w.crash.ice:
		time.Sleep(time.Second) // the client's patience with a frozen process
	}
	if w.replace() {
		return nil
	}
	return rec.Result()
}

// replace starts a new process where the one before is dead or frozen. A frozen one stays around, and wakes up.
func (w *world) replace() bool {
	if !w.crash.gone() {
		return false
	}
	w.crash = newCrash(0, false, 0)
	w.start()
	return true
}

// try repeats a request until there is an answer that is not a passing trouble, as a client does.
func (w *world) try(send func() *http.Response) *http.Response {
	for range 20 {
		resp := send()
		if resp != nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusLocked {
			return resp
		}
		time.Sleep(time.Second)
	}
	w.t.Fatal("the client gives up")
	return nil
}

// offset asks for an upload's offset, which never goes back behind what the client was told before.
func (w *world) offset(loc string) int64 {
	resp := w.try(func() *http.Response { return w.do(http.MethodHead, loc, nil) })
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("HEAD %s: %d", loc, resp.StatusCode)
	}
	off := number(w.t, resp)
	if off < w.acked[loc] {
		w.t.Fatalf("offset went back from %d to %d", w.acked[loc], off)
	}
	w.acked[loc] = off
	return off
}

func number(t *testing.T, resp *http.Response) int64 {
	n, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// create makes an upload and returns its path. A creation whose answer is lost is made anew: its first try stays
// behind, to expire.
func (w *world) create(body []byte, headers ...string) string {
	resp := w.try(func() *http.Response { return w.do(http.MethodPost, "/files/", body, headers...) })
	if resp.StatusCode != http.StatusCreated {
		b, _ := io.ReadAll(resp.Body)
		w.t.Fatalf("POST: %d %s", resp.StatusCode, b)
	}
	return strings.TrimPrefix(resp.Header.Get("Location"), "http://example.com")
}

const octets = "application/offset+octet-stream"

// send brings data into an upload in chunks, resuming as often as needed.
func (w *world) send(loc string, data []byte, chunk int, headers ...string) {
	off := w.offset(loc)
	for range 100 {
		if off == int64(len(data)) {
			return
		}
		b := data[off:min(off+int64(chunk), int64(len(data)))]
		sum := sha256.Sum256(b)
		hd := append([]string{"Content-Type", octets, "Upload-Offset", strconv.FormatInt(off, 10)}, headers...)
		if len(headers) == 0 {
			hd = append(hd, "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sum[:]))
		}
		resp := w.do(http.MethodPatch, loc, b, hd...)
		if resp != nil && resp.StatusCode == http.StatusNoContent {
			off = number(w.t, resp)
			w.acked[loc] = max(w.acked[loc], off)
			continue
		}
		time.Sleep(time.Second)
		off = w.offset(loc)
	}
	w.t.Fatal("the upload does not end")
}

// sweep runs Sweep as a schedule does, long enough after for everything to be due.
func (w *world) sweep() {
	for range 4 {
		time.Sleep(25 * time.Hour)
		w.sweepOnce()
	}
}

// sweepOnce runs Sweep; the schedule tries again where the process died.
func (w *world) sweepOnce() {
	done := make(chan error, 1)
	h := w.h
	w.woken.Go(func() {
		_, err := h.Sweep(context.Background())
		done <- err
	})
	var err error
	select {
	case err = <-done:
	case <-w.crash.ice:
	}
	if !w.replace() && err != nil {
		w.t.Fatal(err)
	}
}

// object checks what the storage holds of an upload.
func (w *world) object(loc string, want []byte) {
	got, ok := w.storage.Object(strings.TrimPrefix(loc, "/files/"))
	if !ok || !bytes.Equal(got, want) {
		w.t.Fatalf("object of %s: present %v, %d bytes, want %d", loc, ok, len(got), len(want))
	}
}

// told checks that an event of an upload was delivered.
func (w *world) told(loc, kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := strings.TrimPrefix(loc, "/files/")
	for e := range w.events {
		if strings.HasPrefix(e, id+".") && strings.Contains(e, "."+kind) {
			return
		}
	}
	w.t.Errorf("%s was never told %s; events: %v", loc, kind, w.events)
}

// clean checks that nothing is left of uploads but those finished.
func (w *world) clean(keep ...string) {
	for u := range w.state.List(w.t.Context(), "") {
		ok := false
		for _, k := range keep {
			ok = ok || "/files/"+string(u.ID) == k
		}
		// A creation whose answer was lost may have become a finished upload that nobody knows of.
		if !ok && (u.Phase != tus.Done || u.Pending != 0) {
			w.t.Errorf("record left behind: %s %v pending %v", u.ID, u.Phase, u.Pending)
		}
		if u.Phase != tus.Done {
			if p := w.storage.Pieces(u.ID); len(p) > 0 {
				w.t.Errorf("pieces left behind: %v", p)
			}
		}
	}
	if v := w.storage.Violations(); len(v) > 0 {
		w.t.Errorf("storage rules broken: %v", v)
	}
}

func payload(n int) []byte {
	rnd := rand.New(rand.NewPCG(7, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// The scenarios: what clients do, to the end.
var scenarios = map[string]struct {
	opt tus.Options
	run func(w *world)
}{
	"three chunks": {tus.Options{}, func(w *world) {
		data := payload(300)
		loc := w.create(nil, "Upload-Length", "300")
		w.send(loc, data, 100, "Upload-Metadata", "")
		w.sweep()
		w.object(loc, data)
		w.told(loc, "created")
		w.told(loc, "finished")
		w.clean(loc)
	}},
	"chunks with checksums": {tus.Options{SHA256: true}, func(w *world) {
		data := payload(300)
		loc := w.create(nil, "Upload-Length", "300")
		w.send(loc, data, 130)
		w.sweep()
		w.object(loc, data)
		w.told(loc, "finished")
		w.clean(loc)
	}},
	"with progress events": {tus.Options{Hooks: tus.Hooks{Events: tus.Created | tus.Progress | tus.Finished | tus.Terminated}}, func(w *world) {
		data := payload(200)
		loc := w.create(nil, "Upload-Length", "200")
		w.send(loc, data, 100, "Upload-Metadata", "")
		w.sweep()
		w.object(loc, data)
		w.told(loc, "progress.100")
		w.told(loc, "finished")
		w.clean(loc)
	}},
	"a small file in its creation": {tus.Options{}, func(w *world) {
		data := payload(150)
		loc := w.create(data, "Upload-Length", "150", "Content-Type", octets)
		w.send(loc, data, 150, "Upload-Metadata", "")
		w.sweep()
		w.object(loc, data)
		w.told(loc, "created")
		w.told(loc, "finished")
		w.clean(loc)
	}},
	"an empty file": {tus.Options{}, func(w *world) {
		loc := w.create(nil, "Upload-Length", "0")
		w.sweep()
		w.offset(loc)
		w.object(loc, nil)
		w.told(loc, "finished")
		w.clean(loc)
	}},
	"a deferred length": {tus.Options{}, func(w *world) {
		data := payload(150)
		loc := w.create(nil, "Upload-Defer-Length", "1")
		w.send(loc, data[:100], 100, "Upload-Metadata", "")
		resp := w.try(func() *http.Response {
			return w.do(http.MethodPatch, loc, data[100:], "Content-Type", octets, "Upload-Offset", "100", "Upload-Length", "150")
		})
		if resp.StatusCode == http.StatusConflict { // the answer was lost and the bytes were not
			w.offset(loc)
		}
		w.sweep()
		w.object(loc, data)
		w.clean(loc)
	}},
	"a concatenation, cleaned up": {tus.Options{EnableConcatenation: true, CleanupPartials: true}, func(w *world) {
		a, b := payload(100), payload(130)
		one := w.create(nil, "Upload-Length", "100", "Upload-Concat", "partial")
		w.send(one, a, 100, "Upload-Metadata", "")
		two := w.create(nil, "Upload-Length", "130", "Upload-Concat", "partial")
		w.send(two, b, 130, "Upload-Metadata", "")
		final := w.final(one, two)
		if final != "" {
			w.offset(final)
			w.sweep()
			w.object(final, append(a, b...))
			w.told(final, "finished")
			w.told(one, "terminated")
			w.told(two, "terminated")
		}
		w.sweep()
		w.clean(final)
	}},
	"a concatenation before its parts": {tus.Options{EnableConcatenation: true}, func(w *world) {
		a, b := payload(100), payload(130)
		one := w.create(nil, "Upload-Length", "100", "Upload-Concat", "partial")
		two := w.create(nil, "Upload-Length", "130", "Upload-Concat", "partial")
		final := w.create(nil, "Upload-Concat", "final;"+one+" "+two+" "+one)
		w.send(one, a, 100, "Upload-Metadata", "")
		w.send(two, b, 130, "Upload-Metadata", "")
		for range 2 { // for the process that was killed before it woke the final upload
			time.Sleep(2 * time.Minute)
			w.sweepOnce()
		}
		w.object(final, append(append(a, b...), a...))
		w.told(final, "finished")
	}},
	"an upload given up": {tus.Options{}, func(w *world) {
		loc := w.create(payload(90), "Upload-Length", "100", "Content-Type", octets)
		w.sweep()
		w.told(loc, "terminated")
		w.clean()
	}},
	"a deletion": {tus.Options{}, func(w *world) {
		loc := w.create(payload(90), "Upload-Length", "100", "Content-Type", octets)
		resp := w.try(func() *http.Response { return w.do(http.MethodDelete, loc, nil) })
		if resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotFound {
			w.t.Fatalf("DELETE: %d", resp.StatusCode)
		}
		if resp := w.do(http.MethodHead, loc, nil); resp != nil && resp.StatusCode != http.StatusNotFound {
			w.t.Fatalf("HEAD after DELETE: %d", resp.StatusCode)
		}
		w.sweep()
		w.told(loc, "terminated")
		w.clean()
	}},
}

// final creates a final upload. Where the parts are cleaned up, a creation whose answer was lost cannot be
// repeated: "" then, and what was made is complete all the same.
func (w *world) final(parts ...string) string {
	for range 10 {
		resp := w.do(http.MethodPost, "/files/", nil, "Upload-Concat", "final;"+strings.Join(parts, " "))
		if resp != nil && resp.StatusCode == http.StatusCreated {
			return strings.TrimPrefix(resp.Header.Get("Location"), "http://example.com")
		}
		if resp != nil && resp.StatusCode == http.StatusNotFound {
			return ""
		}
		time.Sleep(10 * time.Second)
	}
	w.t.Fatal("the client gives up")
	return ""
}

// TestAKillAtAnyStepLosesNothing kills the process at every call to its State, its Storage and its event hook,
// before the call and after it, and has a new process serve the client to the end.
func TestAKillAtAnyStepLosesNothing(t *testing.T) { atEveryStep(t, 0) }

// TestAFreezeAtAnyStepHarmsNothing stops the process at every call, for a while or for days, has a new process serve the
// client, and lets the frozen one wake up and go on in the middle of it, or long after.
func TestAFreezeAtAnyStepHarmsNothing(t *testing.T) {
	atEveryStep(t, 1500*time.Millisecond, 4*time.Second, 7500*time.Millisecond, 40*time.Second, 30*time.Hour)
}

// atEveryStep runs every scenario with a crash before and after each call that it makes, and for each sleep.
func atEveryStep(t *testing.T, sleeps ...time.Duration) {
	for name, sc := range scenarios {
		t.Run(name, func(t *testing.T) {
			sc.opt.EnableExpiration = true
			calls := 0
			run := func(at int, after bool, sleep time.Duration) func(t *testing.T) {
				return func(t *testing.T) {
					w := newWorld(t, sc.opt, newCrash(at, after, sleep))
					defer w.woken.Wait()
					c := w.crash
					sc.run(w)
					calls = c.count()
				}
			}
			synctest.Test(t, run(0, false, 0))
			if calls < 3 {
				t.Fatalf("only %d calls to stop at", calls)
			}
			for at, last := 1, calls; at <= last; at++ {
				for _, after := range []bool{false, true} {
					for _, sleep := range sleeps {
						t.Run(fmt.Sprintf("call %d, applied %v, for %v", at, after, sleep), func(t *testing.T) {
							synctest.Test(t, run(at, after, sleep))
						})
					}
				}
			}
		})
	}
}
