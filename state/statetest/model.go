package statetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// A call is one call of a state, as a value: it can be made on the state under test and on the model, once
// or again.
type call struct {
	method string
	upload tus.Upload // Create's, or what Commit writes
	lease  tus.Lease  // Commit's and Delete's
	claim  tus.Claim
	holder string // the grant that began the lease: the call's own nonce, or an earlier one
}

func (c call) String() string {
	switch c.method {
	case "Create":
		return fmt.Sprintf("Create birth %s, TTL %s, %d slots, nonce %s", c.upload.Birth, c.claim.TTL, c.claim.Slots, c.claim.Nonce)
	case "Acquire":
		return fmt.Sprintf("Acquire at %d, TTL %s, %d slots, steal %t, nonce %s",
			c.claim.Offset, c.claim.TTL, c.claim.Slots, c.claim.Steal, c.claim.Nonce)
	case "Commit":
		return fmt.Sprintf("Commit of epoch %d/%s: offset %d, NextSlot %d, TTL %s, %d slots, nonce %s", c.lease.Epoch,
			c.lease.Nonce, c.upload.Offset, c.upload.NextSlot, c.claim.TTL, c.claim.Slots, c.claim.Nonce)
	}
	return fmt.Sprintf("%s of epoch %d/%s", c.method, c.lease.Epoch, c.lease.Nonce)
}

// on makes the call.
func (c call) on(ctx context.Context, st tus.State) (tus.Lease, error) {
	switch c.method {
	case "Create":
		return st.Create(ctx, c.upload, c.claim)
	case "Acquire":
		return st.Acquire(ctx, c.upload.ID, c.claim)
	case "Commit":
		return st.Commit(ctx, c.lease, c.upload, c.claim)
	}
	return tus.Lease{}, st.Delete(ctx, c.lease)
}

// model is one record, or none, under the pure rules.
type model struct {
	record  *state.Record
	created tus.Lease // what Create returned
}

// apply makes the call on the model.
func (m *model) apply(c call, now time.Time) (tus.Lease, error) {
	var r state.Record
	var l tus.Lease
	var err error
	switch {
	case c.method == "Create" && m.record == nil:
		r, l, err = state.New(c.upload, c.claim, now)
		m.created = l
	case c.method == "Create" && m.record.Nonce == c.claim.Nonce && m.record.Upload.Birth == c.upload.Birth:
		return m.created, nil
	case c.method == "Create":
		return tus.Lease{}, tus.ErrExists
	case c.method == "Acquire" && m.record == nil:
		return tus.Lease{}, tus.ErrNotFound
	case c.method == "Acquire":
		r, l, err = state.Grant(*m.record, c.claim, now)
	case c.method == "Commit" && m.record == nil:
		return tus.Lease{}, tus.ErrSuperseded
	case c.method == "Commit":
		r, l, err = state.Advance(*m.record, c.lease, c.upload, c.claim, now)
	case m.record == nil:
		return tus.Lease{}, nil
	default:
		gone, err := state.Remove(*m.record, c.lease)
		if !gone && err == nil {
			m.record = nil
		}
		return tus.Lease{}, err
	}
	if err == nil {
		m.record = &r
	}
	return l, err
}

// compare tells how two answers differ.
func compare(want tus.Lease, wantErr error, got tus.Lease, gotErr error) error {
	if diff := differ(facts(wantErr), facts(gotErr)); diff != "" {
		return fmt.Errorf("the answer is %v, want %v (-want +got):\n%s", gotErr, wantErr, diff)
	}
	if wantErr != nil {
		return nil
	}
	if diff := differ(want, got); diff != "" {
		return fmt.Errorf("another lease (-want +got):\n%s", diff)
	}
	return nil
}

// differ is cmp.Diff, which takes ten times longer than all the rest, for those who differ.
func differ(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// facts returns what an error of a state says.
func facts(err error) any {
	var leased *tus.LeasedError
	var offset *tus.OffsetError
	switch {
	case err == nil:
		return "no error"
	case errors.As(err, &leased):
		return *leased
	case errors.As(err, &offset):
		return *offset
	}
	for _, e := range []error{tus.ErrNotFound, tus.ErrExists, tus.ErrSuperseded, ErrInjected} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return "some other error"
}
