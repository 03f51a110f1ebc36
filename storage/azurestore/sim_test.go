package azurestore

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/internal/sim"
	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

// The whole engine over this driver and its client library, over Azure's semantics: each request to Azure is a step that may be the last
// of its process, be lost, arrive late or twice, and has all other processes' steps around it.
var simulated = sim.Config{
	Package: "./storage/azurestore",
	New:     newAccount,
	Changes: []string{
		"stage block", "join block", "commit stage", "commit join", "discard stage", "discard join", "put sign", "copy",
		"delete stage", "delete join", "delete object", // a sign goes when all is calm; few copies are under way when their upload goes
	},
	Reads: []string{"head stage", "head join", "head object", "head sign", "list pieces"},
	Rare: []string{
		"join block", "commit stage", "commit join", "discard stage", "discard join", "put sign", "copy", "abort copy",
		"delete stage", "delete join", "delete object", "head stage", "head join", "head object", "head sign", "list pieces",
	},
	Schedules: 1300,
}

func TestSchedules(t *testing.T) { sim.Run(t, simulated) }

// An account is one container for all processes of a schedule.
type account struct {
	f      *fake
	driver *Store // for names
	opt    Options
	full   int
	span   int64
	page   *int32
	tries  int // of the client library
}

func newAccount(rng *rand.Rand) sim.Store {
	half := func() bool { return rng.IntN(2) == 0 }
	g := &account{full: fullBlocks, span: 256 << 20, tries: 1}
	w := ways{listFirst: half(), sourceFirst: half(), verify: half(), keepStaged: half(), sturdy: rng.IntN(3) > 0, untimed: rng.IntN(4) == 0}
	if half() {
		failing := rng.IntN(4) // some copies fail, not all: each sweep makes one
		w.slow = func() (time.Duration, bool) {
			most := []time.Duration{time.Second, 10 * time.Second, 2 * time.Minute}[rng.IntN(3)]
			fails := failing > 0 && half()
			if fails {
				failing--
			}
			return time.Duration(rng.Int64N(int64(most))), fails
		}
	}
	g.f = newFake(w)
	g.opt = Options{Parallel: 1 + rng.IntN(3), NoMD5: rng.IntN(4) == 0}
	if rng.IntN(4) == 0 {
		g.opt.AccessTier = "Cool"
	}
	if rng.IntN(4) > 0 {
		g.full = 1 + rng.IntN(3)
	}
	if half() {
		g.span = 20 + rng.Int64N(2*sim.PartSize) // a source becomes several blocks
	}
	if half() {
		few := int32(1 + rng.IntN(3))
		g.page = &few
	}
	if half() {
		g.tries = 3
	}
	g.driver = g.newStore(g.f)
	return g
}

// newStore returns a driver whose client library does not repeat requests: its pauses are nobody's choice.
func (g *account) newStore(wire policy.Transporter) *Store {
	client, err := container.NewClientWithNoCredential("http://127.0.0.1/account/c", &container.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: wire},
	})
	if err != nil {
		panic(err)
	}
	s, err := New(client, &g.opt)
	if err != nil {
		panic(err)
	}
	s.block, s.full, s.span, s.page = sim.PartSize, g.full, g.span, g.page
	s.retry = policy.RetryOptions{MaxRetries: -1}
	return s
}

func (g *account) Storage(p *sim.Process) tus.Storage { return g.newStore(&requests{g, p}) }
func (g *account) Pieces(id tus.ID) []string          { return g.f.pieces(g.driver, id) }
func (g *account) Violations() []string               { return g.f.seen() }

// Object wants the copy that made it to have ended, and the MD5 that goes with it to be right.
func (g *account) Object(u *tus.Upload) ([]byte, error) {
	key, err := g.driver.key(u)
	if err != nil {
		return nil, err
	}
	g.f.mu.Lock()
	defer g.f.mu.Unlock()
	g.f.elapse()
	switch b := g.f.blob(key); {
	case b == nil:
		return nil, tus.ErrNotFound
	case b.copy == nil || b.copy.status != "success":
		return nil, fmt.Errorf("the copy is %+v", b.copy)
	case !b.sound():
		return nil, errors.New("it has not the bytes that its MD5 says")
	default:
		return b.data(), nil
	}
}

// requests are those of one process. It is what the client library sends them by.
type requests struct {
	*account
	p *sim.Process
}

// Do makes a request, and again where its answer was lost and the client library tries again.
func (r *requests) Do(req *http.Request) (*http.Response, error) {
	in, err := arrived(req)
	if err != nil {
		return nil, err
	}
	op, id := r.step(&in)
	out, err := sim.Request(req.Context(), r.p, r.tries, op, id, func() (fakeReply, error) { return r.f.serve(&in), nil })
	if err != nil {
		return nil, err
	}
	return out.response(req), nil
}

var verbs = map[string]string{
	"PutBlock": "stage block", "PutBlockFromURL": "join block", "PutBlockList": "commit", "PutBlob": "put", "CopyBlob": "copy",
	"AbortCopy": "abort copy", "GetBlobProperties": "head", "DeleteBlob": "delete", "ListBlobs": "list pieces",
}

// step names a request, and whose it is.
func (r *requests) step(in *fakeRequest) (op string, id tus.ID) {
	name, op := in.name, verbs[in.op]
	if in.op == "ListBlobs" {
		name = in.query.Get("prefix") + "-"
	}
	l, piece, ok := r.driver.parsePiece(name)
	if id = l.id; !ok {
		id, piece = tus.ID(strings.TrimPrefix(name, "o/")), objectName
	}
	switch in.op {
	case "PutBlock", "PutBlockFromURL":
		b, _ := base64.StdEncoding.DecodeString(in.query.Get("blockid"))
		return fmt.Sprint(op, " ", binary.BigEndian.Uint32(b[2:])), id
	case "CopyBlob", "AbortCopy", "ListBlobs":
		return op, id
	case "PutBlockList":
		if in.header.Get("If-None-Match") == "" {
			op = "discard"
		}
	}
	switch {
	case piece == signName:
		return op + " sign", id
	case strings.HasPrefix(piece, stageMark):
		return op + " stage " + piece[len(stageMark):], id
	case strings.HasPrefix(piece, joinMark):
		return op + " join " + strconv.Itoa(r.f.number(in.name)), id
	}
	return op + " object", id
}

// What is played here as Azure's semantics passes what Azurite passes, in the same suite.
func TestStoreOnTheFake(t *testing.T) {
	for _, w := range []ways{{}, {listFirst: true, sourceFirst: true, verify: true, keepStaged: true}} {
		three := int32(3)
		for _, g := range []*account{{full: fullBlocks, span: 256 << 20}, {full: 2, span: 700, page: &three}} {
			c := storetest.Config{
				New: func(testing.TB) tus.Storage {
					one := *g
					one.f = newFake(w)
					s := one.newStore(one.f)
					s.block, s.look, s.wait = 1000, time.Millisecond, time.Millisecond
					return s
				},
				PartSize: 1000, MaxHeap: -1, Seeds: 40,
				Pieces: func(s tus.Storage, u tus.Upload) []string { return left(t, s.(*Store), u) },
			}
			storetest.Run(t, c)
		}
	}
}
