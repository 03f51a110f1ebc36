package tus_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// slowState takes its time for every step, as a database behind a network does.
type slowState struct {
	tus.State
	step time.Duration
}

func (s slowState) Unwrap() tus.State { return s.State }

func (s slowState) Acquire(ctx context.Context, id tus.ID, c tus.Claim) (tus.Lease, error) {
	time.Sleep(s.step)
	return s.State.Acquire(ctx, id, c)
}

func (s slowState) Commit(ctx context.Context, l tus.Lease, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	time.Sleep(s.step)
	return s.State.Commit(ctx, l, u, c)
}

// slowBody brings its bytes piece by piece, as a connection does, and breaks off where it is cut off.
type slowBody struct {
	rest  []byte
	piece int
	every time.Duration
}

func (b *slowBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	time.Sleep(b.every)
	n := copy(p[:min(len(p), b.piece)], b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Six clients send the same upload at once and repeat a 423 without a pause: each request interrupts another. Every one that was let
// in has its turn, so that the upload ends, and soon.
func TestClientsThatNeverPauseGetOn(t *testing.T) {
	for name, every := range map[string]time.Duration{"bytes at once": 0, "bytes in passing": 20 * time.Millisecond} {
		for _, checked := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " with a checksum"}[checked], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { crowd(t, every, checked) })
			})
		}
	}
}

func crowd(t *testing.T, every time.Duration, checked bool) {
	state, storage := memstate.New(nil), memstore.New(&memstore.Options{PartSize: 64})
	h, err := tus.NewHandler(slowState{state, 40 * time.Millisecond}, storage, &tus.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	data := payload(20_000)
	made := serve(h, http.MethodPost, "/files/", nil, 0, "Upload-Length", strconv.Itoa(len(data)))
	loc := made.Header.Get("Location")
	var requests atomic.Int64
	var clients sync.WaitGroup
	begin := time.Now()
	for i := range 6 {
		clients.Go(func() {
			for off := 0; off < len(data) && requests.Add(1) < 400; {
				b := data[off:min(off+2_000+500*i, len(data))]
				hd := []string{"Upload-Offset", strconv.Itoa(off), "Content-Type", octets}
				if checked {
					sum := sha256.Sum256(b)
					hd = append(hd, "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sum[:]))
				}
				resp := serve(h, http.MethodPatch, loc, &slowBody{b, 500, every}, int64(len(b)), hd...)
				if s := resp.StatusCode; s == http.StatusNoContent || s == http.StatusConflict {
					off, _ = strconv.Atoi(resp.Header.Get("Upload-Offset"))
				}
			}
		})
	}
	clients.Wait()
	resp := serve(h, http.MethodHead, loc, nil, 0)
	if got := number(t, resp); got != int64(len(data)) {
		t.Fatalf("after %d requests in %v the upload stands at %d of %d", requests.Load(), time.Since(begin), got, len(data))
	}
	t.Logf("%d requests in %v", requests.Load(), time.Since(begin))
	u, err := state.Load(t.Context(), tus.ID(loc[len(loc)-len(tus.NewID()):]))
	if err != nil {
		t.Fatal(err)
	}
	r, err := storage.Open(t.Context(), u, 0, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the object is not what was sent: %v", err)
	}
}

func serve(h http.Handler, method, path string, body io.Reader, size int64, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, body)
	r.ContentLength = size
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}
