package gcsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/fileloft/fileloft/internal/sim"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/storage/intake"
	"github.com/fileloft/fileloft/tus"
)

// The whole engine over this driver over the official client over the fake: each request to GCS is a step that may be the last of its
// process, be lost, arrive late or twice, and has all other processes' steps around it. Bodies are shorter than the 256 KiB from which on
// an upload takes several requests: TestEveryRequestMayFail has those.
var simulated = sim.Config{
	Package: "./storage/gcsstore",
	New:     newStage,
	Changes: []string{
		"put piece", "put sign", "compose piece", "compose object", "rewrite object", "delete", // a sign goes when all is calm
	},
	Reads: []string{"get piece", "get sign", "get object", "list pieces"},
	Rare: []string{
		"put sign", "compose piece", "compose object", "rewrite object", "delete", "get piece", "get sign", "get object", "list pieces",
	},
	Ways:      []uint64{5, 16, 1, 8}, // pieces by two; by many, and a storage class; bodies of one chunk; bodies that are short of memory
	Schedules: 1800,
}

func TestSchedules(t *testing.T) { sim.Run(t, simulated) }

// A stage is one GCS for all processes of a schedule.
type stage struct {
	fake   *gcsfake.Server
	driver *Store // for names
	opt    Options
	memory *intake.Budget
	fanIn  int
	tries  int       // of the client library, of what it can send again
	busy   bool      // what is lost is answered by 503
	slow   uint32    // not 0: some requests take longer on their way than a lease lives
	begun  time.Time // and that ends some time after it
	words  atomic.Int64
}

func newStage(rng *rand.Rand) sim.Store {
	g := &stage{opt: Options{ChunkSize: 64 << 20, PieceSize: 1 << 30, Memory: 1 << 30}, fanIn: fanIn, tries: 1, begun: time.Now()}
	g.opt.Parallel = 1 + 7*rng.IntN(2)
	if rng.IntN(2) == 0 { // bodies of several chunks
		g.opt.ChunkSize = sim.PartSize / 3
		if rng.IntN(2) == 0 {
			g.opt.PieceSize = 2 * g.opt.ChunkSize
		}
		if rng.IntN(2) == 0 {
			g.opt.Memory = 1 // each chunk a piece
		}
	}
	if rng.IntN(2) == 0 {
		g.fanIn = 2 + rng.IntN(3)
	}
	if rng.IntN(3) == 0 {
		g.opt.StorageClass = "NEARLINE"
	}
	if rng.IntN(2) == 0 {
		g.tries = 3
	}
	if rng.IntN(2) == 0 {
		g.slow = 1 + rng.Uint32()>>1
	}
	g.busy, g.memory = rng.IntN(2) == 0, intake.NewBudget(g.opt.Memory)
	f := gcsfake.Options{WriteRate: rng.IntN(4) == 0}
	if rng.IntN(3) == 0 {
		f.PageSize = 1 + rng.IntN(3)
	}
	g.fake = gcsfake.New(&f, "b")
	g.driver = g.newStore(nil)
	return g
}

func (g *stage) newStore(p *sim.Process) *Store {
	client, err := storage.NewClient(context.Background(), option.WithEndpoint("http://gcs/storage/v1/"),
		option.WithHTTPClient(&http.Client{Transport: &requests{g, p}}))
	if err != nil {
		panic(err)
	}
	s, err := New(client, "b", nil)
	if err != nil {
		panic(err)
	}
	s.opt, s.memory, s.fanIn, s.word = g.opt, g.memory, g.fanIn, g.word
	s.bucket = client.Bucket("b").Retryer(storage.WithPolicy(storage.RetryNever)) // the pauses between tries are random: see RoundTrip
	return s
}

// word is what no other name has, and tells steps from each other.
func (g *stage) word() string {
	return fmt.Sprintf("%05d", g.words.Add(1))
}

func (g *stage) Storage(p *sim.Process) tus.Storage { return g.newStore(p) }
func (g *stage) Violations() []string               { return g.fake.Replaced() }

func (g *stage) Object(u *tus.Upload) ([]byte, error) {
	key, err := g.driver.key(u)
	if err != nil {
		return nil, err
	}
	if b, ok := g.fake.Object("b", key); ok {
		return b, nil
	}
	return nil, tus.ErrNotFound
}

func (g *stage) Pieces(id tus.ID) []string { return left(g.driver, g.fake, tus.Upload{ID: id}) }

// requests are those of one process.
type requests struct {
	*stage
	p *sim.Process
}

// RoundTrip makes one request, and again where its answer was lost and the client library would try again: not where it does not keep
// the body. It reads the body in the caller's time: what it is made of takes steps of its own.
func (r *requests) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	tries := 1
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		body = b
	}
	if req.Body == nil || req.GetBody != nil {
		tries = r.tries
	}
	op, id := r.parse(req)
	r.delay(op, id)
	a, err := sim.Request(req.Context(), r.p, tries, op, id, func() (*http.Response, error) { return r.arrive(req, body), nil })
	if r.busy && errors.Is(err, syscall.ECONNRESET) {
		rec := httptest.NewRecorder()
		http.Error(rec, "try again", http.StatusServiceUnavailable)
		return rec.Result(), nil
	}
	return a, err
}

// delay is that of a request on its way, by a lot that does not depend on the order of those who draw.
func (r *requests) delay(op string, id tus.ID) {
	if r.slow == 0 || time.Since(r.begun) > 2*time.Minute || !slices.Contains(simulated.Rare, strings.TrimRight(op, " 0123456789")) {
		return
	}
	if lot := crc32.ChecksumIEEE(fmt.Append(nil, r.slow, op, id, time.Now())); lot%4 == 0 {
		time.Sleep(10*time.Second + 50*time.Duration(lot>>2)) // up to 64 s
	}
}

// arrive has the fake carry out a request.
func (r *requests) arrive(req *http.Request, body []byte) *http.Response {
	copied := req.Clone(context.Background())
	copied.Body, copied.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	r.fake.ServeHTTP(rec, copied)
	a := rec.Result()
	a.Request = req
	return a
}

// parse tells what a request does, and whose pieces it does that to.
func (r *requests) parse(req *http.Request) (op string, id tus.ID) {
	q, path := req.URL.Query(), strings.Split(req.URL.EscapedPath(), "/")
	last := path[len(path)-1]
	key, _ := url.PathUnescape(last)
	switch {
	case q.Has("uploadType"):
		op, key = "put", q.Get("name")
	case last == "compose":
		op = "compose"
		key, _ = url.PathUnescape(path[len(path)-2])
	case strings.Contains(req.URL.EscapedPath(), "/rewriteTo/"):
		op = "rewrite"
	case last == "o":
		l, _, _ := r.driver.parsePiece(q.Get("prefix") + "?")
		return "list pieces", l.id
	default:
		op = strings.ToLower(req.Method)
	}
	l, name, ok := r.driver.parsePiece(key)
	if !ok {
		l.id, name = tus.ID(strings.TrimPrefix(key, "o/")), objectName
	}
	number := ""
	if i := strings.LastIndex(name, "."); i >= 0 {
		number = " " + name[i+1:]
	}
	switch {
	case name == signName:
		op += " sign"
	case op == "delete": // most are of pieces
	case name == objectName:
		op += " object"
	default:
		op += " piece"
	}
	return op + number, l.id
}
