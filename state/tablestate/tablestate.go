package tablestate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	Now func() time.Time // default: time.Now
	// Retry says how often a request is sent and how long each sending may take. It takes the place of the client's. A request
	// is given up after ten seconds in any case. Default: up to nine sendings of 4 s, after random waits of at most a second.
	Retry *policy.RetryOptions
}

// Store is a [tus.State] in a table of Azure Table storage. It lists records and tells what is due.
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

// New returns the state in a table that [CreateTable] or the project's Terraform has made. It makes no request.
func New(client *aztables.Client, opt *Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("tablestate: a state needs a client of its table")
	}
	t := newTable(client)
	so := &state.Options{}
	if opt != nil {
		so.Now = opt.Now
		if opt.Retry != nil {
			t.retry = *opt.Retry
		}
	}
	return &Store{Store: state.NewStore(t, so), table: t}, nil
}

// Ping reads one entity that is never there.
func (s *Store) Ping(ctx context.Context) error {
	_, _, err := s.table.read(ctx, partitionOf(""), rowOf(""))
	if errors.Is(err, tus.ErrNotFound) {
		return nil
	}
	return explain(ctx, "ping", err)
}

// CreateTable makes the table that client stands for, unless it is there. The storage account must be there already.
func CreateTable(ctx context.Context, client *aztables.Client) error {
	err := newTable(client).call(ctx, func(ctx context.Context) error {
		_, err := client.CreateTable(ctx, nil)
		return err
	})
	var no *refusal
	if errors.As(err, &no) {
		switch aztables.TableErrorCode(no.code) {
		case aztables.TableAlreadyExists:
			return nil
		case aztables.TableBeingDeleted:
			err = fmt.Errorf("%w: a table of that name is being deleted, which takes Azure up to a minute: %w", tus.ErrUnavailable, err)
		}
	}
	return explain(ctx, "create the table", err)
}
