package firestorestate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/firestore"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	Now func() time.Time // default: time.Now
	// Backoff is how long to wait before a call is sent for the n-th time again, n from 1 on, that Firestore refused or did
	// not answer. Default: a random time below 100 ms, 200 ms and so on, at most a second.
	Backoff func(n int) time.Duration
}

// Store is a [tus.State] in a collection of Firestore. It lists records and tells what is due.
type Store struct {
	*state.Store
	table *table
}

var (
	_ tus.State     = (*Store)(nil)
	_ tus.DueLister = (*Store)(nil)
	_ tus.Lister    = (*Store)(nil)
	_ tus.Pinger    = (*Store)(nil)
)

// New returns the state in a collection at the top of the client's database. It makes no call. A collection is there as soon
// as it has a document; [CreateIndexes] or the project's Terraform makes the index that listings need.
//
// The client must find out by itself that a connection is dead, as a function's is that was frozen for a while: give it
// grpc.WithKeepaliveParams with a Time of 30 s and a Timeout of 5 s. Without it the calls of such a process fail for as
// long as the system believes in the connection.
func New(client *firestore.Client, collection string, opt *Options) (*Store, error) {
	if err := checkCollection(collection); err != nil {
		return nil, err
	}
	t := &table{
		docs:     client.Collection(collection),
		patience: patience{attempt: attemptTimeout, total: callTimeout, wait: backoff},
	}
	so := &state.Options{}
	if opt != nil {
		so.Now = opt.Now
		if opt.Backoff != nil {
			t.patience.wait = opt.Backoff
		}
	}
	return &Store{Store: state.NewStore(t, so), table: t}, nil
}

// checkCollection finds names that Firestore would not take, or would take for the path of something else.
func checkCollection(name string) error {
	if name == "" || len(name) > 1500 || strings.Contains(name, "/") || name == "." || name == ".." || reserved(name) ||
		!utf8.ValidString(name) {
		return fmt.Errorf("firestorestate: the name of a collection cannot be %q", name)
	}
	return nil
}

// Ping reads one document that is never there, at the price of one read.
func (s *Store) Ping(ctx context.Context) error {
	_, _, err := s.table.read(ctx, noDocument)
	if errors.Is(err, tus.ErrNotFound) {
		return nil
	}
	return explain(ctx, "ping", err)
}
