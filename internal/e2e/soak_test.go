package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSoak lets many clients send the same uploads at once through two servers over the same data, each client as if it were
// alone, while the servers are killed and started again at random. No acknowledged byte may be lost, doubled or mixed up,
// and no acknowledged offset may go back.
func TestSoak(t *testing.T) {
	notShort(t)
	length := 15 * time.Second
	if long {
		length = 5 * time.Minute
	}
	dir := t.TempDir()
	servers := []*server{serve(t, dir, "FILELOFT_LOCK_TIMEOUT=2"), serve(t, dir, "FILELOFT_LOCK_TIMEOUT=2")}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var uploads, kills atomic.Int64
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for seed := uint64(worker) << 32; ctx.Err() == nil; seed++ {
				if err := soakOne(t, servers, seed); err != nil {
					t.Errorf("upload %x: %v", seed, err)
					return
				}
				uploads.Add(1)
			}
		})
	}
	r := rand.New(rand.NewPCG(1, uint64(length)))
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(200+r.IntN(1200)) * time.Millisecond):
			s := servers[r.IntN(2)]
			s.kill()
			s.start()
			kills.Add(1)
		}
	}
	wg.Wait()
	t.Logf("%d uploads, %d kills", uploads.Load(), kills.Load())
	if uploads.Load() == 0 || kills.Load() == 0 {
		t.Error("too little happened for this to be a test")
	}
}

// A soaked is one upload that several clients send at once.
type soaked struct {
	servers []*server
	id      string
	data    []byte
	acked   atomic.Int64 // the highest offset that any answer named
}

var soakClient = &http.Client{Timeout: 20 * time.Second}

func soakOne(t *testing.T, servers []*server, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 2))
	u := &soaked{servers: servers, data: make([]byte, 1+r.IntN(2<<20))}
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	_, _ = rand.NewChaCha8(key).Read(u.data)
	if err := u.create(r); err != nil {
		return err
	}
	errs := make(chan error)
	for i := range 3 {
		go func() { errs <- u.send(rand.New(rand.NewPCG(seed, uint64(10+i)))) }()
	}
	err := errors.Join(<-errs, <-errs, <-errs)
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(servers[0].dir, "files", u.id))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, u.data) {
		return fmt.Errorf("%s: %d bytes stored differ from the %d bytes sent", u.id, len(got), len(u.data))
	}
	return nil
}

// ask sends a request to a server of the clients' choice and returns the answer's status and offset.
func (u *soaked) ask(r *rand.Rand, method string, off int64, body []byte, headers ...string) (int, http.Header, error) {
	url := u.servers[r.IntN(2)].endpoint() + u.id
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if r.IntN(12) == 0 { // the client loses patience, or its network
		time.AfterFunc(time.Duration(r.IntN(40))*time.Millisecond, cancel)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/offset+octet-stream")
		req.Header.Set("Upload-Offset", strconv.FormatInt(off, 10))
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := soakClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header, nil
}

func (u *soaked) create(r *rand.Rand) error {
	for range 200 {
		status, h, err := u.ask(r, http.MethodPost, 0, nil, "Upload-Length", strconv.Itoa(len(u.data)))
		if err == nil && status == 201 {
			u.id = filepath.Base(h.Get("Location"))
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("cannot create")
}

// send is one client: it sends from where it believes that the upload stands, and learns from every answer.
func (u *soaked) send(r *rand.Rand) error {
	size := int64(len(u.data))
	for off, end := int64(0), time.Now().Add(2*patience); time.Now().Before(end); {
		before := u.acked.Load()
		var status int
		var h http.Header
		var err error
		if r.IntN(4) == 0 {
			status, h, err = u.ask(r, http.MethodHead, 0, nil)
		} else {
			n := min(size, off+1+r.Int64N(512<<10))
			status, h, err = u.ask(r, http.MethodPatch, off, u.data[off:n])
		}
		switch {
		case err != nil, status == 423, status == 503:
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
			continue
		case status != 200 && status != 204 && status != 409:
			return fmt.Errorf("%s: status %d at %d: %v", u.id, status, off, h)
		}
		now, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
		if err != nil || now < before || now > size {
			return fmt.Errorf("%s: status %d with offset %q, after %d was acknowledged", u.id, status, h.Get("Upload-Offset"), before)
		}
		for was := u.acked.Load(); was < now && !u.acked.CompareAndSwap(was, now); was = u.acked.Load() {
		}
		if off = now; off == size {
			return nil
		}
	}
	return fmt.Errorf("%s: not finished in time; %d of %d", u.id, u.acked.Load(), size)
}
