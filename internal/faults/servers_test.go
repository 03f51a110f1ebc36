package faults

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

// A shelf is a store or a database, as far as faults are looked for: it is asked once, by its own library.
type shelf struct {
	put func(ctx context.Context, key string, data []byte) error // where there is something already, it is replaced
	get func(ctx context.Context, key string) ([]byte, error)    // nil where there is nothing
}

// services are what stands behind proxies: how to start each, empty, and to reach it.
var services = map[string]struct {
	start  func(t *testing.T) (url string)
	client func(t testing.TB, url string) shelf
	whole  func(t *testing.T, url string) // asks for more, where nothing is done
}{
	"s3": {func(t *testing.T) string {
		srv := servers.S3(t)
		srv.Bucket(t, bucket)
		return srv.URL
	}, s3Shelf, s3Whole},
	"dynamodb": {startDynamoDB, dynamoShelf, dynamoWhole},
	"gcs": {func(t *testing.T) string {
		l, err := gcsfake.New(nil, bucket).Listen(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		return l.URL
	}, gcsShelf, gcsWhole},
	"azure-blob":  {startAzurite("BlobEndpoint"), blobShelf, blobWhole},
	"azure-table": {startAzurite("TableEndpoint"), tableShelf, tableWhole},
	byGRPC:        {func(t *testing.T) string { return "http://" + servers.Firestore(t) }, firestoreShelf, firestoreWhole},
}

func TestRealServers(t *testing.T) {
	for name, s := range services {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "gcs" {
				t.Skip("=== SKIPPED: real servers do not run under -short ===")
			}
			url := s.start(t)
			direct := s.client(t, url)
			warm(t, direct)
			at := func(t *testing.T, url string) shelf { return s.client(t, url) }
			t.Run("each kind", func(t *testing.T) { eachKind(t, name, url, direct, at) })
			if !testing.Short() {
				t.Run("many faults", func(t *testing.T) { manyFaults(t, name, url, at) })
			}
			t.Run("none", func(t *testing.T) { s.whole(t, newProxy(t, url, Options{Service: name}).URL()) })
		})
	}
}

// startAzurite returns the address of one service of a new Azurite.
func startAzurite(endpoint string) func(*testing.T) string {
	return func(t *testing.T) string {
		for pair := range strings.SplitSeq(servers.Azurite(t), ";") {
			name, v, _ := strings.Cut(pair, "=")
			if url, ok := strings.CutSuffix(v, "/"+account); ok && name == endpoint {
				createOnAzure(t, endpoint, url)
				return url
			}
		}
		t.Fatal("the connection string names no " + endpoint)
		return ""
	}
}

// eachKind: what a kind is to a plain server it is to a real one, which the service's own library asks: it has an error, or an answer, and
// what it sent is there, or is not.
func eachKind(t *testing.T, service, url string, direct shelf, at func(*testing.T, string) shelf) {
	body := data(40_000)
	for _, tt := range []struct {
		kind            Kind
		done, succeeded bool
	}{
		{"", true, true},
		{Unavailable, false, false},
		{Reset, false, false},
		{Cut, false, false},
		{Lost, true, false},
		{Lied, true, false},
		{Truncated, true, false},
		{Twice, true, true},
	} {
		p := newProxy(t, url, Options{Service: service, Odds: map[Kind]float64{tt.kind: 1}}.orNone())
		key := "at-" + string(tt.kind)
		err := at(t, p.URL()).put(t.Context(), key, body)
		if (err == nil) != tt.succeeded {
			t.Errorf("%s: the client has %v", tt.kind, err)
		}
		time.Sleep(20 * time.Millisecond) // what was cut must not come to be
		got, err := direct.get(t.Context(), key)
		if err != nil || bytes.Equal(got, body) != tt.done || (got == nil) == tt.done {
			t.Errorf("%s: %d bytes are there of %d, %v", tt.kind, len(got), len(body), err)
		}
		n, done := p.Counts()
		if want := done[tt.kind] == 1 || tt.kind == Truncated && done[Lost] == 1 || len(done) == 0 && tt.succeeded; n != 1 || !want {
			t.Errorf("%s: %d requests, %v", tt.kind, n, done)
		}
	}
}

// manyFaults: clients that repeat what failed get everything through, and after Calm and Drain nothing changes any more.
func manyFaults(t *testing.T, service, url string, at func(*testing.T, string) shelf) {
	const writers, keys = 4, 8
	p := newProxy(t, url, Options{Service: service, Seed: 7, Odds: Even(0.5), Stall: 50 * time.Millisecond})
	want := map[string][]byte{}
	for w := range writers {
		for i := range keys {
			want[fmt.Sprintf("k-%d-%d", w, i)] = data(1000 * (i + 1))
		}
	}
	var all sync.WaitGroup
	for w := range writers {
		c := at(t, p.URL())
		all.Go(func() {
			for i := range keys {
				key := fmt.Sprintf("k-%d-%d", w, i)
				for try := 0; ; try++ {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					err := c.put(ctx, key, want[key])
					cancel()
					if err == nil {
						break
					}
					if try == 60 {
						t.Errorf("%s: %v", key, err)
						break
					}
				}
			}
		})
	}
	all.Wait()
	p.Calm()
	if err := p.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	calm := at(t, p.URL())
	for key, body := range want {
		got, err := calm.get(t.Context(), key)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes are there of %d, %v", key, len(got), len(body), err)
		}
	}
	n, done := p.Counts()
	sum := 0
	for _, k := range done {
		sum += k
	}
	if len(done) < 4 || sum < writers*keys/4 {
		t.Errorf("of %d requests these met with something: %v", n, done)
	}
}

// warm waits out the first calls, which may take an emulator seconds.
func warm(t *testing.T, s shelf) {
	t.Helper()
	for range 3 {
		if err := s.put(t.Context(), "warm", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
}
