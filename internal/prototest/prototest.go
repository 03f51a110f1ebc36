// Package prototest is the conformance suite of the protocol: every row of the protocol checklist, every behaviour that users of
// the Rust fileloft rely on, and the bugs that other servers had, as one table of black-box tests over HTTP. It runs
// against anything that can start a server with given [tus.Options]: a Handler in this process, or a real binary
// behind a gateway. What a platform cannot do (hand over trailers, stream a body) is said by [Caps], and the tests that
// need it are skipped there with a sentence.
//
// Every answer that the suite receives, wanted or not, is also held to what holds for all answers: the
// Tus-Resumable header, and for errors the content type, the form "code: sentence", the request id, and no internals.
package prototest

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// A Start starts a server with opt and stops it when t ends. It skips t if its platform cannot honour opt.
// BasePath is left at its default.
type Start func(t testing.TB, opt tus.Options) *Server

// A Server is a running server.
type Server struct {
	URL    string       // of the collection, with its trailing slash
	Client *http.Client // nil: one of its own
	Caps   Caps

	// Object reads the finished object of an upload from the storage. Nil: the suite downloads it.
	Object func(id tus.ID) ([]byte, error)
	// Leftovers lists what the storage and the state still hold of an upload, by name. Nil: not checked.
	Leftovers func(id tus.ID) ([]string, error)
	// Sweep runs the sweeper. Nil: the tests that need it are skipped.
	Sweep func(ctx context.Context) (tus.SweepReport, error)
	// Drain makes the server stop reading bodies, as a shutdown does. Nil: the tests that need it are skipped.
	Drain func(ctx context.Context) error
	// Peer starts another server over the same state and storage, as another process would be. Nil: skipped.
	Peer func(t testing.TB) *Server

	clock *clock // the one in its options; only of use where Caps.Functions
}

// Caps says what the platform between the client and the handler can do.
type Caps struct {
	Streaming bool  // a body reaches the handler as it arrives, also one that is cut short
	Trailers  bool  // trailers reach the handler
	Raw       bool  // URL is plain TCP on which anything may be sent
	Functions bool  // the functions among the options (Hooks, Now) take effect
	MaxBody   int64 // largest request body that the platform passes on; 0: no limit
	OneValue  bool  // of a header that is sent twice only one value reaches the handler
	// NoHalfClose says that who closes his side of a connection in the middle of a body gets no answer of the handler.
	NoHalfClose bool
	// PlainRanges says that downloads are links to a store that knows ranges by their first byte, with or without the last, and no others.
	PlainRanges bool
	Requests    int // most requests that one row may send, where each is slow; 0: any number
	// OwnMethods says that what stands in front answers methods that are not HTTP's own by itself, as some routers do.
	OwnMethods bool
	Tidies     bool // a path with dot segments is answered by a redirect to a tidy one, before the handler sees it
}

// takes says whether a body of n bytes reaches the handler.
func (c *Caps) takes(n int64) bool { return c.MaxBody == 0 || n <= c.MaxBody }

// A row is one line of the checklist.
type row struct {
	name string // its id, then what it says
	run  func(t *testing.T, x *suite)
	// waits says that the test is slow without working: it runs beside others of its kind, at the end.
	waits bool
}

// A suite is one run of the table.
type suite struct {
	start  Start
	shared *Server
}

// Run runs the whole table, or the rows whose names begin with one of prefixes.
func Run(t *testing.T, start Start, prefixes ...string) {
	x := &suite{start: start}
	x.shared = x.with(t, tus.Options{})
	for _, rows := range tables() {
		for _, r := range rows {
			if len(prefixes) > 0 && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(r.name, p) }) {
				continue
			}
			t.Run(r.name, func(t *testing.T) {
				if r.waits {
					t.Parallel()
				}
				r.run(t, x)
			})
		}
	}
}

// tables are all rows, in the order in which they run.
func tables() [][]row {
	return [][]row{
		coreRows, bodyRows, locationRows, creationRows, deferRows, expiryRows, checksumRows, terminationRows, concatRows, finalRows,
		downloadRows, featureRows, featureRows2, corsRows, hookRows, eventRows, busyRows, bugRows,
	}
}

// std returns the server that most rows share: with default options, and without hooks.
func (x *suite) std() *Server { return x.shared }

// with starts a server of a row's own. Concatenation and downloads are switched on: the rows that want them off
// start a server by hand.
func (x *suite) with(t testing.TB, opt tus.Options) *Server {
	opt.EnableConcatenation = true
	opt.EnableDownload = true
	return x.bare(t, opt)
}

// bare starts a server with just these options.
func (x *suite) bare(t testing.TB, opt tus.Options) *Server {
	t.Helper()
	if opt.Log == nil {
		opt.Log = logger()
	}
	c := &clock{}
	opt.Now = c.now
	s := x.start(t, opt)
	s.clock = c
	return s
}

// logger keeps quiet, unless the tests are run with -v.
func logger() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	return slog.New(slog.DiscardHandler)
}

// need skips a test for which the platform lacks something.
func need(t testing.TB, has bool, what string) {
	t.Helper()
	if !has {
		t.Skip("this platform has no " + what)
	}
}
