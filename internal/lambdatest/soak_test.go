package lambdatest

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
	"syscall"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/internal/servers"
)

// TestSoak lets several clients send the same uploads at once, each as if it were alone, through two functions over the same stores whose
// instances are killed at random, and frozen at work for longer than a lease lives, so that they wake up when others have gone on. No acknowledged byte may be lost, doubled or mixed up, and no acknowledged offset may go back.
func TestSoak(t *testing.T) {
	d := inCloud(t).deploy(t, "FILELOFT_LEASE_TTL=1s", "FILELOFT_LOCK_TIMEOUT=2s", "FILELOFT_S3_PART_SIZE=5MiB")
	functions := []*lambdagate.Function{d.function(t, lambdagate.Options{}), d.function(t, lambdagate.Options{})}
	doors := []string{ways[0].open(functions[0], t), ways[3].open(functions[1], t)}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	var uploads, kills, freezes atomic.Int64
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for seed := uint64(worker) << 32; ctx.Err() == nil; seed++ {
				if err := d.soak(doors, seed); err != nil {
					t.Errorf("upload %x: %v", seed, err)
					return
				}
				uploads.Add(1)
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(time.Duration(100+rand.IntN(500)) * time.Millisecond)
			if v := functions[rand.IntN(2)].KillRandom(); v.Busy {
				kills.Add(1)
			}
		}
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(time.Duration(100+rand.IntN(500)) * time.Millisecond)
			if freeze(functions[rand.IntN(2)], time.Duration(500+rand.IntN(2000))*time.Millisecond) {
				freezes.Add(1)
			}
		}
	})
	wg.Wait()
	t.Logf("%d uploads, %d kills at work, %d freezes", uploads.Load(), kills.Load(), freezes.Load())
	if uploads.Load() == 0 || kills.Load() == 0 || freezes.Load() == 0 {
		t.Error("too little happened for this to be a test")
	}
}

// freeze stops an instance in mid-invocation for a while.
func freeze(f *lambdagate.Function, d time.Duration) bool {
	for _, in := range f.Instances() {
		if !in.Busy {
			continue
		}
		p, err := os.FindProcess(in.PID)
		if err != nil || p.Signal(syscall.SIGSTOP) != nil {
			return false
		}
		time.Sleep(d)
		return p.Signal(syscall.SIGCONT) == nil // not if it was killed meanwhile
	}
	return false
}

// A soaked is one upload that several clients send at once.
type soaked struct {
	doors []string
	id    string
	data  []byte
	acked atomic.Int64 // the highest offset that any answer named
}

func (d *deployment) soak(doors []string, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 2))
	u := &soaked{doors: doors, data: make([]byte, 1+r.IntN(12<<20))}
	_, _ = rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%032x", seed)))).Read(u.data)
	if err := u.create(r); err != nil {
		return err
	}
	const clients = 2
	errs := make(chan error)
	for i := range clients {
		go func() { errs <- u.send(rand.New(rand.NewPCG(seed, uint64(10+i)))) }()
	}
	var err error
	for range clients {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(tmp, "s3", bucket, d.prefix+u.id))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, u.data) {
		return fmt.Errorf("%s: the %d bytes stored differ from the %d bytes sent", u.id, len(got), len(u.data))
	}
	return nil
}

var soakClient = servers.NewClient(40 * time.Second)

// ask sends a request to one of the doors. An error may also be an answer that says to try again.
func (u *soaked) ask(r *rand.Rand, method string, off int64, body []byte, headers ...string) (int, http.Header, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if r.IntN(12) == 0 { // the client loses patience, or its network
		time.AfterFunc(time.Duration(r.IntN(40))*time.Millisecond, cancel)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.doors[r.IntN(len(u.doors))]+u.id, bytes.NewReader(body))
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
	if s := resp.StatusCode; s == 423 || s >= 500 { // busy, or killed: the gateway's own answer
		return s, nil, errors.New(resp.Status)
	}
	return resp.StatusCode, resp.Header, nil
}

func (u *soaked) create(r *rand.Rand) error {
	for range 200 {
		status, h, err := u.ask(r, http.MethodPost, 0, nil, "Upload-Length", strconv.Itoa(len(u.data)))
		if err == nil && status == http.StatusCreated {
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
	for off, end := int64(0), time.Now().Add(2*time.Minute); time.Now().Before(end); {
		before := u.acked.Load()
		method, body := http.MethodHead, []byte(nil)
		if r.IntN(4) > 0 {
			method, body = http.MethodPatch, u.data[off:min(size, off+1+r.Int64N(4<<20))]
		}
		status, h, err := u.ask(r, method, off, body)
		if err != nil {
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
			continue
		}
		now, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
		if err != nil || now < before || now > size || status != 200 && status != 204 && status != 409 {
			return fmt.Errorf("%s: status %d at %d with offset %q, after %d was acknowledged", u.id, status, off, h.Get("Upload-Offset"), before)
		}
		for was := u.acked.Load(); was < now && !u.acked.CompareAndSwap(was, now); was = u.acked.Load() {
		}
		if off = now; off == size {
			return nil
		}
	}
	return fmt.Errorf("%s: not finished in time; %d of %d", u.id, u.acked.Load(), size)
}
