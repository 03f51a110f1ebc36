package tablestate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

func TestStore(t *testing.T) {
	conn := azurite(t)
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		st, _, _ := open(t, conn, &tablestate.Options{Now: now})
		return st
	}, &statetest.Options{Seeds: seeds(t, 100), Rounds: 10})
}

// processes is a state whose calls go to one of several processes, as requests do: none knows the versions that the others
// have seen.
type processes []*tablestate.Store

func (p processes) any() *tablestate.Store { return p[rand.IntN(len(p))] }

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

func TestSeveralProcessesShareATable(t *testing.T) {
	conn := azurite(t)
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		var p processes
		table := fmt.Sprintf("shared%d", tables.Add(1))
		for range 3 {
			client := connect(t, conn, table, &wire{})
			noError(t, tablestate.CreateTable(t.Context(), client)) // by each: it can be repeated
			p = append(p, try(tablestate.New(client, &tablestate.Options{Now: now}))(t))
		}
		return p
	}, &statetest.Options{Seeds: seeds(t, 30), Rounds: 10})
}

// What the network loses is sent again. No write may count twice, and each must get the answer that a sound network would
// have brought.
func TestABadNetworkIsHidden(t *testing.T) {
	conn := azurite(t)
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		st, _, w := open(t, conn, &tablestate.Options{Now: now, Retry: atOnce()})
		w.plan(func(string) fault {
			if rand.IntN(8) > 0 {
				return fault{}
			}
			return []fault{
				{status: http.StatusServiceUnavailable, code: "ServerBusy"},
				{cut: true},
				{cut: true, late: true},
				{status: http.StatusInternalServerError, code: "OperationTimedOut", late: true},
			}[rand.IntN(4)]
		})
		return st
	}, &statetest.Options{Seeds: seeds(t, 30), Rounds: 10, Repeats: true})
}
