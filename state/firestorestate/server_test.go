package firestorestate_test

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/tus"
)

// wire lies between the client library and the server. It counts calls and what is billed for them, and can lose them.
type wire struct {
	mu     sync.Mutex
	calls  []string
	last   any // request
	reads  int // documents
	writes int // documents, deletions too
	fault  func(method string) fault
}

// A fault is what the network does to a call.
type fault struct {
	code codes.Code // of the error; OK: none
	text string     // of the error
	late bool       // the call is made, and its answer lost
	hang bool       // the error comes when the caller has given up
}

func (f fault) err(ctx context.Context) error {
	if f.hang {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	return status.Error(f.code, "injected "+f.text)
}

func (w *wire) called(method string, req any) fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, path.Base(method))
	w.last = req
	if c, ok := req.(*firestorepb.CommitRequest); ok {
		w.writes += len(c.GetWrites())
	}
	if w.fault == nil {
		return fault{}
	}
	return w.fault(path.Base(method))
}

func (w *wire) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	f := w.called(method, req)
	bad := f.code != codes.OK || f.hang
	if bad && !f.late {
		return f.err(ctx)
	}
	err := invoke(ctx, method, req, reply, cc, opts...)
	if bad && err == nil {
		return f.err(ctx)
	}
	return err
}

func (w *wire) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if f := w.called(method, nil); f.code != codes.OK || f.hang {
		return nil, f.err(ctx) // reads change nothing: request or answer, it is the same
	}
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &watched{s, w}, nil
}

// watched is a stream whose messages are looked at.
type watched struct {
	grpc.ClientStream
	w *wire
}

func (s *watched) SendMsg(m any) error {
	s.w.mu.Lock()
	s.w.last = m
	s.w.mu.Unlock()
	return s.ClientStream.SendMsg(m)
}

func (s *watched) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	switch m := m.(type) {
	case *firestorepb.BatchGetDocumentsResponse:
		if m.GetFound() != nil || m.GetMissing() != "" {
			s.w.reads++ // what is not there is billed too
		}
	case *firestorepb.RunQueryResponse:
		if m.GetDocument() != nil {
			s.w.reads++
		}
	}
	return err
}

// since returns the calls made since the last time it was asked.
func (w *wire) since() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls, w.reads, w.writes = nil, 0, 0
	return calls
}

// plan sets what happens to the next calls.
func (w *wire) plan(f func(method string) fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// script lets the next calls fail in this order, and then none.
func (w *wire) script(faults ...fault) {
	w.plan(func(string) fault {
		if len(faults) == 0 {
			return fault{}
		}
		f := faults[0]
		faults = faults[1:]
		return f
	})
}

const collection = "uploads"

var projects atomic.Int64

// connect returns a client of a project of its own. It is closed when t ends.
func connect(t testing.TB, addr string, w *wire) *firestore.Client {
	t.Helper()
	return connectTo(t, addr, fmt.Sprintf("test-%d", projects.Add(1)), w)
}

func connectTo(t testing.TB, addr, project string, w *wire) *firestore.Client {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(w.unary), grpc.WithStreamInterceptor(w.stream))
	noError(t, err)
	client, err := firestore.NewClient(t.Context(), project, option.WithGRPCConn(conn))
	noError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// open returns a state in an empty database of the emulator at addr.
func open(t testing.TB, addr string, opt *firestorestate.Options) (*firestorestate.Store, *firestore.Client, *wire) {
	t.Helper()
	w := &wire{}
	client := connect(t, addr, w)
	return try(firestorestate.New(client, collection, opt))(t), client, w
}

// called ends the test where other calls were made than these, or others were billed.
func called(t *testing.T, w *wire, what string, reads, writes int, want ...string) {
	t.Helper()
	w.mu.Lock()
	gotReads, gotWrites := w.reads, w.writes
	w.mu.Unlock()
	if got := w.since(); !slices.Equal(got, want) || gotReads != reads || gotWrites != writes {
		t.Errorf("%s made the calls %q with %d reads and %d writes, want %q with %d and %d",
			what, got, gotReads, gotWrites, want, reads, writes)
	}
}

const (
	get    = "BatchGetDocuments"
	commit = "Commit"
	query  = "RunQuery"
)

// seeds is how many random sequences a suite runs: STATE_SEEDS, or n. Each takes forty calls and as many reads.
func seeds(t *testing.T, n int) int {
	if s := os.Getenv("STATE_SEEDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			t.Fatalf("STATE_SEEDS=%s is no number of sequences", s)
		}
	}
	t.Logf("%d random sequences (STATE_SEEDS changes that)", n)
	return n
}

func claim(ttl time.Duration, slots uint32) tus.Claim {
	return tus.Claim{Offset: tus.AnyOffset, TTL: ttl, Slots: slots, Nonce: tus.NewNonce()}
}

// try returns what a call returned, or ends the test where it failed: try(f())(t).
func try[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		noError(t, err)
		return v
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
