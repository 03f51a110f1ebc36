package firestorestate_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/tus"
)

// atOnce is how a Store of the tests waits: not at all.
func atOnce(int) time.Duration { return 0 }

func TestStore(t *testing.T) {
	addr := emulator(t)
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		st, _, _ := open(t, addr, &firestorestate.Options{Now: now})
		return st
	}, &statetest.Options{Seeds: seeds(t, 150), Rounds: 10})
}

// processes is a state whose calls go to one of several processes, as requests do: none knows the versions that the others
// have seen.
type processes []*firestorestate.Store

func (p processes) any() *firestorestate.Store { return p[rand.IntN(len(p))] }

func (p processes) Create(ctx context.Context, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	return p.any().Create(ctx, u, c)
}

func (p processes) Load(ctx context.Context, id tus.ID) (tus.Upload, error) {
	return p.any().Load(ctx, id)
}

func (p processes) Acquire(ctx context.Context, id tus.ID, c tus.Claim) (tus.Lease, error) {
	return p.any().Acquire(ctx, id, c)
}

func (p processes) Commit(ctx context.Context, l tus.Lease, next tus.Upload, c tus.Claim) (tus.Lease, error) {
	return p.any().Commit(ctx, l, next, c)
}

func (p processes) Delete(ctx context.Context, l tus.Lease) error { return p.any().Delete(ctx, l) }

func TestSeveralProcessesShareACollection(t *testing.T) {
	addr := emulator(t)
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		var p processes
		for range 3 {
			client := connectTo(t, addr, "shared", &wire{})
			p = append(p, try(firestorestate.New(client, collection, &firestorestate.Options{Now: now}))(t))
		}
		return p
	}, &statetest.Options{Seeds: seeds(t, 40), Rounds: 10})
}

// What the network loses is sent again. No write may count twice, and each must get the answer that a sound network would
// have brought.
func TestABadNetworkIsHidden(t *testing.T) {
	addr := emulator(t)
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		st, _, w := open(t, addr, &firestorestate.Options{Now: now, Backoff: atOnce})
		w.plan(func(method string) fault {
			switch {
			case rand.IntN(8) > 0:
				return fault{}
			case method != commit: // codes that the client library does not wait for
				return fault{code: codes.Aborted}
			}
			return []fault{{code: codes.Aborted}, {code: codes.Internal}, {code: codes.Unknown, late: true}}[rand.IntN(3)]
		})
		return st
	}, &statetest.Options{Seeds: seeds(t, 30), Rounds: 10, Repeats: true})
}
