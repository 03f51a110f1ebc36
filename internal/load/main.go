// Command load puts a tus server under one kind of load and prints what it did with it, as one line. It speaks nothing
// but tus 1.0.0, so that servers can be compared; -vs runs a second server in turn with the first and prints the ratio of the
// medians, which holds when the machine's speed drifts.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type settings struct {
	mode    string
	clients int
	size    int64
	chunk   int64
	length  time.Duration
}

func main() {
	var s settings
	var urls [2]string
	var rounds int
	flag.StringVar(&urls[0], "url", "http://127.0.0.1:8080/files/", "collection `URL` of the server")
	flag.StringVar(&urls[1], "vs", "", "collection `URL` of a second server, run in turn with the first")
	flag.StringVar(&s.mode, "mode", "bytes", "bytes (MB/s of -size uploads in -chunk PATCHes), small (-size uploads/s: POST and PATCH), create or head (requests/s)")
	flag.IntVar(&s.clients, "clients", 1, "clients at once, each on a connection of its own")
	flag.Int64Var(&s.size, "size", 1<<30, "bytes of an upload")
	flag.Int64Var(&s.chunk, "chunk", 64<<20, "bytes of a PATCH")
	flag.DurationVar(&s.length, "for", 3*time.Second, "least duration of one round")
	flag.IntVar(&rounds, "rounds", 5, "rounds; the median counts")
	flag.Parse()
	if err := run(s, urls, rounds); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(s settings, urls [2]string, rounds int) error {
	var rates [2][]float64
	for range rounds {
		for i, u := range urls {
			if u == "" {
				continue
			}
			r, err := s.round(u)
			if err != nil {
				return fmt.Errorf("%s: %w", u, err)
			}
			rates[i] = append(rates[i], r)
		}
	}
	unit := map[string]string{"bytes": "MB/s", "small": "uploads/s", "create": "creates/s", "head": "HEADs/s"}[s.mode]
	name := fmt.Sprintf("%-6s clients %-3d chunk %-9d", s.mode, s.clients, min(s.chunk, s.size))
	a := median(rates[0])
	if urls[1] == "" {
		fmt.Printf("%s  %9.1f %s\n", name, a, unit)
		return nil
	}
	b := median(rates[1])
	fmt.Printf("%s  %9.1f  vs %9.1f %s  ratio %.2f\n", name, a, b, unit, a/b)
	return nil
}

func median(v []float64) float64 {
	slices.SortFunc(v, cmp.Compare)
	return v[len(v)/2]
}

// round runs all clients for the least duration and returns what they did a second.
func (s *settings) round(collection string) (float64, error) {
	var done atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, s.clients)
	start := time.Now()
	for range s.clients {
		wg.Go(func() {
			c := client{http: &http.Client{Transport: &http.Transport{WriteBufferSize: 256 << 10}}, collection: collection}
			defer c.http.CloseIdleConnections()
			if err := s.drive(&c, start, &done); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
	}
	rate := float64(done.Load()) / time.Since(start).Seconds()
	if s.mode == "bytes" {
		rate /= 1e6
	}
	return rate, nil
}

// drive repeats one client's unit of work until the time is over, and does it once at least.
func (s *settings) drive(c *client, start time.Time, done *atomic.Int64) error {
	data := make([]byte, min(s.chunk, s.size))
	var loc string
	if s.mode == "head" {
		var err error
		if loc, err = c.create(s.size); err != nil {
			return err
		}
	}
	for first := true; first || time.Since(start) < s.length; first = false {
		var err error
		n := int64(1)
		switch s.mode {
		case "bytes", "small":
			err = s.upload(c, data)
			if s.mode == "bytes" {
				n = s.size
			}
		case "create":
			_, err = c.create(s.size)
		case "head":
			err = c.head(loc)
		default:
			err = errors.New("unknown -mode " + s.mode)
		}
		if err != nil {
			return err
		}
		done.Add(n)
	}
	if s.mode == "head" {
		return c.remove(loc)
	}
	return nil
}

// upload sends one upload, and removes a large one again.
func (s *settings) upload(c *client, data []byte) error {
	loc, err := c.create(s.size)
	for off := int64(0); off < s.size && err == nil; off += int64(len(data)) {
		err = c.patch(loc, off, data[:min(int64(len(data)), s.size-off)])
	}
	if err == nil && s.mode == "bytes" {
		err = c.remove(loc)
	}
	return err
}

// A client is one keep-alive connection to a server.
type client struct {
	http       *http.Client
	collection string
}

func (c *client) create(size int64) (string, error) {
	answer, err := c.do(http.MethodPost, c.collection, nil, http.StatusCreated, "Upload-Length", strconv.FormatInt(size, 10))
	if err != nil {
		return "", err
	}
	base, err := url.Parse(c.collection)
	if err != nil {
		return "", err
	}
	loc, err := base.Parse(answer.Get("Location"))
	if err != nil {
		return "", err
	}
	return loc.String(), nil
}

func (c *client) patch(loc string, off int64, b []byte) error {
	_, err := c.do(http.MethodPatch, loc, b, http.StatusNoContent,
		"Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.FormatInt(off, 10))
	return err
}

func (c *client) head(loc string) error {
	_, err := c.do(http.MethodHead, loc, nil, http.StatusOK)
	return err
}

func (c *client) remove(loc string) error {
	_, err := c.do(http.MethodDelete, loc, nil, http.StatusNoContent)
	return err
}

// do sends a request and returns the header of the answer.
func (c *client) do(method, url string, body []byte, want int, headers ...string) (http.Header, error) {
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		return nil, fmt.Errorf("%s answered %s: %s", method, resp.Status, strings.TrimSpace(string(b)))
	}
	return resp.Header, nil
}
