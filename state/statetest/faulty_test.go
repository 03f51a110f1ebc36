package statetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/tus"
)

func TestFaulty(t *testing.T) {
	for fault, want := range map[statetest.Fault]struct{ fails, stored, waits bool }{
		statetest.Pass:        {stored: true},
		statetest.LoseRequest: {fails: true},
		statetest.LoseAnswer:  {fails: true, stored: true},
		statetest.Duplicate:   {stored: true, waits: true},
		statetest.Delay:       {fails: true, waits: true},
	} {
		t.Run(fault.String(), func(t *testing.T) {
			ctx := t.Context()
			st := memstate.New(nil)
			net := statetest.NewFaulty(st, func(string) statetest.Fault { return fault })
			l, err := net.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, tus.Claim{Nonce: "n"})
			if errors.Is(err, statetest.ErrInjected) != want.fails || errors.Is(err, tus.ErrUnavailable) != want.fails ||
				(l.Nonce == "n") == want.fails {
				t.Errorf("the answer is %+v, %v", l, err)
			}
			if _, err := st.Load(ctx, "a"); (err == nil) != want.stored {
				t.Errorf("the record: %v", err)
			}
			if (net.Waiting() == 1) != want.waits {
				t.Fatalf("%d calls wait", net.Waiting())
			}
			if !want.waits {
				return
			}
			if err := net.Deliver(ctx, 0); err != nil || net.Waiting() != 0 {
				t.Errorf("delivered: %v, %d calls wait", err, net.Waiting())
			}
			if _, err := st.Load(ctx, "a"); err != nil {
				t.Errorf("the record after the delivery: %v", err)
			}
		})
	}
}

func ExampleNewFaulty() {
	calls := 0
	net := statetest.NewFaulty(memstate.New(nil), func(string) statetest.Fault {
		if calls++; calls == 1 {
			return statetest.LoseAnswer
		}
		return statetest.Pass
	})

	ctx := context.Background()
	u, c := tus.Upload{ID: "a", Birth: "b"}, tus.Claim{Nonce: tus.NewNonce()}
	_, err := net.Create(ctx, u, c)
	fmt.Println(err)
	l, err := net.Create(ctx, u, c) // the same call again finds its own work
	fmt.Println(l.Epoch, err)
	// Output:
	// statetest: injected: tus: state or storage is unavailable for now
	// 1 <nil>
}
