package tablestate_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// What this package relies on, as far as Azurite has it as Azure does: a transaction makes all of its changes or none, its
// conditions are the entities' ETags, and its failure comes under the status 202. That Azure refuses a transaction over two
// partitions, and Azurite does not, is why the package's own are held to one here.
func TestATransactionIsAllOrNothing(t *testing.T) {
	_, client, w := open(t, azurite(t), nil)
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
	w.since()
}
