package e2e

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/clients"
)

// everyClient sends what its defaults say.
var everyClient []*clients.Client

// clientNamed returns one of everyClient.
func clientNamed(t testing.TB, name string) *clients.Client {
	t.Helper()
	i := slices.IndexFunc(everyClient, func(c *clients.Client) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no client is called %s", name)
	}
	return everyClient[i]
}

// uploads runs one client under a deadline.
func uploads(t testing.TB, c *clients.Client, file, endpoint string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	begin := time.Now()
	url, log, err := c.Upload(ctx, file, endpoint)
	if err != nil {
		t.Fatalf("%s after %v: %v\n%s", c.Name, time.Since(begin).Round(time.Millisecond), err, log[max(0, len(log)-3000):])
	}
	return url
}

// source returns a file of n random bytes; one of each size is made.
func source(t testing.TB, n int64) string {
	t.Helper()
	name, err := clients.Source(bin, n)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// digest is the size and the SHA-256 of a file.
func digest(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := clients.Digest(f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
