package tablestate_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

// What this package relies on, as far as Azurite has it as Azure does: a transaction makes all of its changes or none, its
// conditions are the entities' ETags, and its failure comes under the status 202. That Azure refuses a transaction over two
// partitions, and Azurite does not, is made good by the wire of these tests.
func TestATransactionIsAllOrNothing(t *testing.T) {
	_, client, _ := open(t, azurite(t), nil)
	ctx := t.Context()
	one := []byte(`{"PartitionKey":"p00","RowKey":"upload-a","record":"1"}`)
	two := []byte(`{"PartitionKey":"p00","RowKey":"upload-a","record":"2"}`)
	entry := []byte(`{"PartitionKey":"p00","RowKey":"due-1-a"}`)
	gone := []byte(`{"PartitionKey":"p00","RowKey":"due-0-a"}`)
	old := try(client.AddEntity(ctx, one, nil))(t).ETag
	now := try(client.UpdateEntity(ctx, one, &aztables.UpdateEntityOptions{IfMatch: &old, UpdateMode: aztables.UpdateModeReplace}))(t).ETag
	if now == old || now == "" {
		t.Errorf("the same ETag after a write: %q, %q", old, now)
	}
	replace := func(etag azcore.ETag) aztables.TransactionAction {
		return aztables.TransactionAction{ActionType: aztables.TransactionTypeUpdateReplace, Entity: two, IfMatch: &etag}
	}
	list := aztables.TransactionAction{ActionType: aztables.TransactionTypeInsertReplace, Entity: entry}
	unlist := aztables.TransactionAction{ActionType: aztables.TransactionTypeDelete, Entity: gone}
	for what, actions := range map[string][]aztables.TransactionAction{
		"a condition that fails first": {replace(old), list},
		"a condition that fails last":  {list, replace(old)},
		"an entity that is not there":  {replace(now), list, unlist},
	} {
		_, err := client.SubmitTransaction(ctx, actions, nil)
		var no *azcore.ResponseError
		if !errors.As(err, &no) || no.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %v", what, err)
		}
		got := try(client.GetEntity(ctx, "p00", "upload-a", nil))(t)
		if got.ETag != now || len(index(t, client)) != 0 {
			t.Errorf("after %s the entity is %s at %q, the index %q", what, got.Value, got.ETag, index(t, client))
		}
	}
	try(client.SubmitTransaction(ctx, []aztables.TransactionAction{replace(now), list}, nil))(t)
	if got := index(t, client); !slices.Equal(got, []string{"due-1-a"}) {
		t.Errorf("the index holds %q", got)
	}
	elsewhere := aztables.TransactionAction{
		ActionType: aztables.TransactionTypeInsertReplace, Entity: []byte(`{"PartitionKey":"p01","RowKey":"due-2-a"}`),
	}
	if _, err := client.SubmitTransaction(ctx, []aztables.TransactionAction{list, elsewhere}, nil); err == nil {
		t.Error("a transaction over two partitions was made")
	}
}

// A program of a newer version may write a newer format: an older one says so and leaves the entity alone.
func TestEntitiesOfNewerPrograms(t *testing.T) {
	st, client, _ := open(t, azurite(t), nil)
	ctx := t.Context()
	l := try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(time.Minute, 0)))(t)
	newer := fmt.Appendf(nil, `{"PartitionKey":%q,"RowKey":"upload-a","record":"{\"v\":2,\"i\":\"a\"}"}`, tablestate.PartitionOf("a"))
	etag := try(client.UpdateEntity(ctx, newer, &aztables.UpdateEntityOptions{UpdateMode: aztables.UpdateModeReplace}))(t).ETag
	_, err1 := st.Load(ctx, "a")
	_, err2 := st.Acquire(ctx, "a", claim(time.Minute, 0))
	_, err3 := st.Commit(ctx, l, l.Upload, claim(0, 0))
	for _, err := range []error{err1, err2, err3, st.Delete(ctx, l)} {
		if err == nil || !strings.Contains(err.Error(), "run a newer one") {
			t.Errorf("a newer format was read: %v", err)
		}
	}
	if got := try(client.GetEntity(ctx, tablestate.PartitionOf("a"), "upload-a", nil))(t); got.ETag != etag {
		t.Error("an entity of a newer format was changed")
	}
}

// The largest settings make an entity that Azurite takes, alone and in a transaction.
func TestTheLargestRecordFits(t *testing.T) {
	st, client, _ := open(t, azurite(t), nil)
	u := tus.Upload{
		ID: tus.ID(strings.Repeat("x", 128)), Birth: "b", Metadata: strings.Repeat("m", 512<<10), Key: strings.Repeat("k", 1024),
		Cursor: make(tus.Cursor, tus.MaxCursor), Digest: make([]byte, 200), Expires: time.Now(),
		Concat: tus.Concat{Role: tus.Final, Header: strings.Repeat("h", 200<<10)},
	}
	for range 6000 {
		u.Concat.Parts = append(u.Concat.Parts, tus.NewID())
	}
	l := try(st.Create(t.Context(), u, claim(time.Minute, 0)))(t)
	next := l.Upload
	next.Metadata = "short" // and all pieces that were go
	l = try(st.Commit(t.Context(), l, next, claim(time.Minute, 0)))(t)
	next.Concat.Parts, next.Concat.Header = nil, ""
	next.Cursor = nil
	try(st.Commit(t.Context(), l, next, claim(0, 0)))(t)
	if got := try(st.Load(t.Context(), u.ID))(t); got.Metadata != "short" || got.Key != u.Key {
		t.Errorf("%d bytes of metadata came back", len(got.Metadata))
	}
	for name := range entity(t, client, u.ID) {
		if strings.HasPrefix(name, "record") && name != "record" {
			t.Errorf("the entity still has %s", name)
		}
	}
}
