package badinput

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	crowd = 500 // slow clients at once
	pulse = time.Second

	// slowRoom is what a crowd may take of memory, in MiB. A body that may be large has two buffers of 256 KiB, of which those pages count that
	// bytes have reached, and the storage has one while it writes; a connection with its goroutines takes some 32 KiB. Measured were 130 MiB
	// for slow bodies, 45 for slow downloads, 12 for slow headers; 375 would be all buffers of 500 bodies.
	slowRoom = 375
)

// A slowWriter sends the body of one PATCH.
type slowWriter struct {
	s      *server
	at     string
	data   []byte // all of the upload
	body   int    // what Content-Length says
	conn   net.Conn
	sent   int
	acked  int64 // the last offset that HEAD has told
	failed error
}

func (w *slowWriter) open() error {
	at, a, err := w.s.tryCreate(int64(w.body))
	if err != nil || at == "" {
		return fmt.Errorf("create: %v %w", a, err)
	}
	w.at = at
	if w.conn, err = net.Dial("tcp", w.s.addr); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		w.at, octets, w.body)
	return err
}

func (w *slowWriter) send(n int) error {
	n, err := w.conn.Write(w.data[w.sent : w.sent+n])
	w.sent += n
	return err
}

// finish sends the rest at once, and reads the answer.
func (w *slowWriter) finish() error {
	if err := w.send(w.body - w.sent); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(w.conn), nil)
	if err != nil {
		return err
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if got := resp.Header.Get("Upload-Offset"); resp.StatusCode != http.StatusNoContent || got != strconv.Itoa(w.body) {
		return fmt.Errorf("the answer in the end: %s %s, offset %s", resp.Status, b, got)
	}
	return nil
}

// each runs f for 0 to n-1 at once and fails the test with the first errors.
func each(t *testing.T, n int, what string, f func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	var failed atomic.Int32
	for i := range n {
		wg.Go(func() {
			if err := f(i); err != nil && failed.Add(1) <= 3 {
				t.Errorf("%s %d: %v", what, i, err)
			}
		})
	}
	wg.Wait()
	if k := failed.Load(); k > 0 {
		t.Fatalf("%s: %d of %d failed", what, k, n)
	}
}

// others uploads as everybody does, a few at a time, and fails the test if one takes too long. It returns the longest.
func (s *server) others(t *testing.T) time.Duration {
	t.Helper()
	const uploads, atOnce, bound = 20, 4, 20 * time.Second
	data := random(4 << 20)
	var longest atomic.Int64
	turns := make(chan struct{}, atOnce)
	each(t, uploads, "an ordinary upload", func(int) error {
		turns <- struct{}{}
		defer func() { <-turns }()
		start := time.Now()
		err := s.whole(data)
		took := time.Since(start)
		for {
			old := longest.Load()
			if int64(took) <= old || longest.CompareAndSwap(old, int64(took)) {
				break
			}
		}
		if err == nil && took > bound {
			err = fmt.Errorf("it took %v", took)
		}
		return err
	})
	return time.Duration(longest.Load())
}

// 500 clients send the bodies of their PATCHes at a byte a second. Then a part of them speeds up and ends, and the others vanish; what HEAD
// has told of these stays, and they go on from there.
func TestSlowBodies(t *testing.T) {
	notShort(t)
	s := serve(t, setup{env: []string{"FILELOFT_LOG_LEVEL=warn"}})
	if err := s.whole(random(4 << 20)); err != nil {
		t.Fatal(err)
	}
	before := s.resident()
	data := random(700_000)
	writers := make([]*slowWriter, crowd)
	each(t, crowd, "slow client", func(i int) error {
		writers[i] = &slowWriter{s: s, data: data, body: len(data)}
		return writers[i].open()
	})
	stop := make(chan struct{})
	var slow sync.WaitGroup
	for i, w := range writers {
		slow.Go(func() {
			time.Sleep(pulse * time.Duration(i) / crowd) // not all at once
			tick := time.NewTicker(pulse)
			defer tick.Stop()
			for w.failed == nil {
				w.failed = w.send(1)
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		})
	}
	time.Sleep(3 * pulse)
	longest := s.others(t)
	during := s.resident()
	close(stop)
	slow.Wait()
	for i, w := range writers {
		if w.failed != nil {
			t.Fatalf("slow client %d was cut off: %v", i, w.failed)
		}
	}
	each(t, crowd, "HEAD for slow client", func(i int) error {
		a, err := s.try(http.MethodHead, writers[i].at, nil)
		if err != nil || a.status != http.StatusOK {
			return fmt.Errorf("%v %w", a, err)
		}
		writers[i].acked, err = strconv.ParseInt(a.header.Get("Upload-Offset"), 10, 64)
		if err == nil && writers[i].acked > int64(writers[i].sent) {
			err = fmt.Errorf("offset %d, sent were %d", writers[i].acked, writers[i].sent)
		}
		return err
	})
	const end = 100
	each(t, end, "slow client that speeds up", func(i int) error { return writers[i].finish() })
	for _, w := range writers {
		_ = w.conn.Close()
	}
	for _, w := range writers[:end] {
		s.holds(w.at, data)
	}
	told := 0
	for _, w := range writers[end:] {
		var got int64 // the connection has broken off, and what has come by it is committed, one after the other
		within(t, "a slow client's bytes are committed", func() bool { got = s.offset(w.at); return got != 0 })
		if got < w.acked || got > int64(w.sent) {
			t.Fatalf("offset %d, HEAD has told %d, sent were %d", got, w.acked, w.sent)
		}
		if w.acked > 0 {
			told++
		}
	}
	for _, w := range writers[end : end+20] {
		s.resume(w.at, data)
	}
	s.lives()
	t.Logf("%d clients at 1 byte/s, %d bytes each: the longest of the others' uploads of 4 MiB took %v; memory %d MiB before, %d during, %d at most; HEAD told %d of %d of some bytes while they came",
		crowd, writers[end].sent, longest, before, during, s.peak(), told, crowd-end)
	if s.peak() > before+slowRoom {
		t.Errorf("memory went up from %d to %d MiB", before, s.peak())
	}
}

// 500 clients send their headers at a byte a second. Each is cut off by FILELOFT_HEADER_TIMEOUT, and comes again.
func TestSlowHeaders(t *testing.T) {
	notShort(t)
	t.Parallel()
	const limit = 2 * time.Second
	s := serve(t, setup{env: []string{"FILELOFT_LOG_LEVEL=warn", "FILELOFT_HEADER_TIMEOUT=" + limit.String()}})
	before := s.resident()
	stop := make(chan struct{})
	var slow sync.WaitGroup
	var cut, kept atomic.Int64
	for range crowd {
		slow.Go(func() {
			for {
				begun := time.Now()
				switch slowHeader(s.addr, stop) {
				case nil:
					return
				default:
					if cut.Add(1); time.Since(begun) > limit+patience/2 {
						kept.Add(1)
					}
				}
			}
		})
	}
	time.Sleep(pulse)
	longest := s.others(t)
	within(t, "each is cut off once, on average", func() bool { return cut.Load() > crowd })
	close(stop)
	slow.Wait()
	if kept.Load() > 0 {
		t.Errorf("%d of %d connections were kept longer than FILELOFT_HEADER_TIMEOUT", kept.Load(), cut.Load())
	}
	s.unharmed()
	t.Logf("%d clients at 1 byte/s of headers, %d cut off: the longest of the others' uploads of 4 MiB took %v; memory %d MiB before, %d at most",
		crowd, cut.Load(), longest, before, s.peak())
	if s.peak() > before+slowRoom {
		t.Errorf("memory went up from %d to %d MiB", before, s.peak())
	}
}

var errCut = errors.New("the server hung up")

// slowHeader sends a request byte by byte. It returns nil when it is stopped, and an error when it is cut off.
func slowHeader(addr string, stop <-chan struct{}) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	defer func() { _ = conn.Close(); <-gone }()
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for text := "PATCH /files/x HTTP/1.1\r\nHost: x\r\nX-Slow: " + strings.Repeat("x", 100); ; text = text[1:] {
		if _, err := io.WriteString(conn, text[:1]); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-gone:
			return errCut
		case <-tick.C:
		}
	}
}

// 500 clients read a download at a byte a second, with receive buffers so small that the server cannot get rid of it.
func TestSlowDownloads(t *testing.T) {
	notShort(t)
	t.Parallel()
	s := serve(t, setup{env: []string{"FILELOFT_LOG_LEVEL=warn"}})
	data := random(16 << 20)
	at := s.create(int64(len(data)))
	if a := s.patch(at, 0, data); a.status != http.StatusNoContent {
		t.Fatal(a)
	}
	before := s.resident()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	conns := make([]net.Conn, crowd)
	each(t, crowd, "slow reader", func(i int) (err error) {
		if conns[i], err = dialer.Dial("tcp", s.addr); err != nil {
			return err
		}
		_, err = fmt.Fprintf(conns[i], "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", at)
		return err
	})
	stop := make(chan struct{})
	var slow sync.WaitGroup
	for _, c := range conns {
		slow.Go(func() {
			tick := time.NewTicker(pulse)
			defer tick.Stop()
			for b := make([]byte, 1); ; {
				if _, err := io.ReadFull(c, b); err != nil {
					t.Errorf("a slow reader is cut off: %v", err)
					return
				}
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		})
	}
	time.Sleep(2 * pulse)
	longest := s.others(t)
	during := s.resident()
	close(stop)
	slow.Wait()
	for _, c := range conns {
		_ = c.Close()
	}
	s.unharmed()
	t.Logf("%d clients that read 1 byte/s: the longest of the others' uploads of 4 MiB took %v; memory %d MiB before, %d during, %d at most",
		crowd, longest, before, during, s.peak())
	if s.peak() > before+slowRoom {
		t.Errorf("memory went up from %d to %d MiB", before, s.peak())
	}
}
