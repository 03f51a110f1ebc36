package tus_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// sluggish is a storage that takes its time, as far as its context lets it.
type sluggish struct {
	*memstore.Store
	append, complete time.Duration
}

func (s *sluggish) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	if err := linger(ctx, s.append); err != nil {
		return tus.Receipt{Cursor: l.Upload.Cursor, NextSlot: l.Slots.First}, err
	}
	return s.Store.Append(ctx, l, r)
}

func (s *sluggish) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	if err := linger(ctx, s.complete); err != nil {
		return tus.Stored{}, err
	}
	return s.Store.Complete(ctx, l)
}

func linger(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drip is a body that brings ten bytes a second.
type drip struct{ left int }

func (d *drip) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second)
	n := copy(p, strings.Repeat("x", min(10, d.left)))
	d.left -= n
	return n, nil
}

// A platform ends each request 20 s after its start.
const platformTime = 20 * time.Second

// function serves requests as a function does: each has platformTime, and its answer must be there before.
type function struct {
	t       *testing.T
	h       *tus.Handler
	storage *sluggish
	state   *memstate.Store
}

func newFunction(t *testing.T, opt tus.Options) *function {
	f := &function{t: t, storage: &sluggish{Store: memstore.New(nil)}, state: memstate.New(nil)}
	h, err := tus.NewHandler(f.state, f.storage, &opt)
	if err != nil {
		t.Fatal(err)
	}
	f.h = h
	return f
}

func (f *function) do(method, path string, body io.Reader, headers ...string) *http.Response {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), platformTime)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, body)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	f.h.ServeHTTP(rec, r)
	if ctx.Err() != nil {
		f.t.Errorf("%s %s: the platform ended the request before its answer", method, path)
	}
	return rec.Result()
}

func (f *function) create(length string) string {
	resp := f.do(http.MethodPost, "/files/", nil, "Upload-Length", length)
	if resp.StatusCode != http.StatusCreated {
		f.t.Fatal(resp.Status)
	}
	return strings.TrimPrefix(resp.Header.Get("Location"), "http://example.com")
}

func (f *function) patch(loc, offset string, body io.Reader, headers ...string) *http.Response {
	return f.do(http.MethodPatch, loc, body, append([]string{"Content-Type", octets, "Upload-Offset", offset}, headers...)...)
}

// want checks an answer's status and its Upload-Offset.
func (f *function) want(resp *http.Response, status int, offset string) {
	f.t.Helper()
	if resp.StatusCode != status || resp.Header.Get("Upload-Offset") != offset {
		f.t.Errorf("%d with offset %q, want %d with %q", resp.StatusCode, resp.Header.Get("Upload-Offset"), status, offset)
	}
	if status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		f.t.Error("503 without Retry-After")
	}
}

func TestABodyThatOutlastsThePlatformIsAnsweredWithTheOffsetThatItReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction(t, tus.Options{})
		loc := f.create("1000")
		// 20 s, less the reserve of 3, and the Read that is under way then.
		resp := f.patch(loc, "0", &drip{1000})
		if got := resp.Header.Get("Upload-Offset"); resp.StatusCode != http.StatusNoContent || got != "160" && got != "170" && got != "180" {
			t.Fatalf("%d with offset %s", resp.StatusCode, got)
		}
		f.want(f.do(http.MethodHead, loc, nil), http.StatusOK, resp.Header.Get("Upload-Offset"))
	})
}

func TestABodyWithAChecksumThatOutlastsThePlatformIsToBeSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction(t, tus.Options{})
		loc := f.create("1000")
		sum := sha256.Sum256(bytes.Repeat([]byte("x"), 1000))
		f.want(f.patch(loc, "0", &drip{1000}, "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sum[:])), http.StatusServiceUnavailable, "")
		f.want(f.do(http.MethodHead, loc, nil), http.StatusOK, "0")
	})
}

func TestAStorageThatOutlastsThePlatformCostsTheBytesAndNotTheUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction(t, tus.Options{})
		loc := f.create("10")
		f.storage.append = time.Minute
		f.want(f.patch(loc, "0", strings.NewReader("0123456789")), http.StatusServiceUnavailable, "")
		f.storage.append = 0
		start := time.Now()
		f.want(f.patch(loc, "0", strings.NewReader("0123456789")), http.StatusNoContent, "10")
		if waited := time.Since(start); waited > 0 {
			t.Errorf("the lease was not given back: the next request waited %s", waited)
		}
	})
}

func TestABusyUploadIsAnsweredBeforeThePlatformsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction(t, tus.Options{LockTimeout: time.Hour})
		loc := f.create("10")
		id := tus.ID(strings.TrimPrefix(loc, "/files/"))
		if _, err := f.state.Acquire(t.Context(), id, tus.Claim{Offset: 0, TTL: time.Hour, Slots: 1, Nonce: tus.NewNonce()}); err != nil {
			t.Fatal(err)
		}
		f.want(f.patch(loc, "0", strings.NewReader("0123456789")), http.StatusLocked, "")
	})
}

func TestACompletionThatOutlastsThePlatformIsTakenUpByTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction(t, tus.Options{})
		loc := f.create("10")
		f.storage.complete = time.Minute
		f.want(f.patch(loc, "0", strings.NewReader("0123456789")), http.StatusServiceUnavailable, "")
		f.storage.complete = 0
		f.want(f.do(http.MethodHead, loc, nil), http.StatusOK, "10")
		got, ok := f.storage.Object(strings.TrimPrefix(loc, "/files/"))
		if !ok || string(got) != "0123456789" {
			t.Errorf("%q %v", got, ok)
		}
	})
}

func TestASweepTellsWhatItDidBeforeThePlatformsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFunction(t, tus.Options{EnableExpiration: true})
		for range 3 {
			f.storage.complete = time.Minute
			f.want(f.patch(f.create("10"), "0", strings.NewReader("0123456789")), http.StatusServiceUnavailable, "")
		}
		f.storage.complete = 12 * time.Second
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), platformTime)
		defer cancel()
		report, err := f.h.Sweep(ctx)
		if ctx.Err() != nil || report.Completed != 1 || err == nil {
			t.Errorf("%+v, %v, %v", report, err, ctx.Err())
		}
	})
}
