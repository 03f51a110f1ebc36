package memstate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/tus"
)

func ExampleNew() {
	ctx := context.Background()
	st := memstate.New(nil)

	// A new upload, nobody at work on it.
	id := tus.NewID()
	_, err := st.Create(ctx, tus.Upload{ID: id, Birth: "b1", Length: 10}, tus.Claim{Nonce: tus.NewNonce()})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A request takes the lease, stores four bytes, commits them and lets go.
	lease, err := st.Acquire(ctx, id, tus.Claim{Offset: 0, TTL: time.Minute, Slots: 1, Nonce: tus.NewNonce()})
	if err != nil {
		fmt.Println(err)
		return
	}
	next := lease.Upload
	next.Offset = 4
	next.NextSlot = lease.Slots.End()
	if _, err := st.Commit(ctx, lease, next, tus.Claim{Nonce: tus.NewNonce()}); err != nil {
		fmt.Println(err)
		return
	}

	u, err := st.Load(ctx, id)
	fmt.Println(u.Offset, "of", u.Length, err)
	// Output: 4 of 10 <nil>
}
