package dynamostate_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/tus"
)

// get reads an item as it lies in the table.
func get(t testing.TB, client *dynamodb.Client, id tus.ID) map[string]types.AttributeValue {
	t.Helper()
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(table), Key: dynamostate.Key(id)})
	noError(t, err)
	return out.Item
}

// The index is written where its keys change, and only then.
func TestProgressLeavesTheIndexAloneAndTheItemSmall(t *testing.T) {
	now := time.Unix(1_800_000_000, 0) // the beginning of a bucket
	st, client, w := open(t, &dynamostate.Options{Now: func() time.Time { return now }})
	u := dynamostate.Ordinary()
	u.Pending = 0
	u.Expires = now.Add(24 * time.Hour)
	try(st.Create(t.Context(), u, claim(0, 0)))(t)
	first := get(t, client, u.ID)
	w.since()
	for i := range 300 {
		now = now.Add(time.Second)
		l := try(st.Acquire(t.Context(), u.ID, claim(6*time.Second, 40)))(t)
		next := l.Upload
		next.Offset += 4 << 20
		next.NextSlot += 20
		next.Expires = now.Add(24 * time.Hour)
		try(st.Commit(t.Context(), l, next, claim(0, 0)))(t)
		called(t, w, fmt.Sprintf("the PATCH %d", i), "UpdateItem", "UpdateItem")
	}
	last := get(t, client, u.ID)
	for _, attr := range []string{"h", "y"} {
		if a, b := first[attr].(*types.AttributeValueMemberN).Value, last[attr].(*types.AttributeValueMemberN).Value; a != b {
			t.Errorf("the index's key %q went from %s to %s", attr, a, b)
		}
	}
	if a, b := dynamostate.Size(first), dynamostate.Size(last); b > 1024 || b > a+8 { // some more digits
		t.Errorf("the item grew from %d bytes to %d in 300 PATCHes", a, b)
	}
}

func TestDueMergesThePartitionsAndReadsWhatIsDueOnly(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	st, client, w := open(t, &dynamostate.Options{Now: func() time.Time { return now }})
	const n = 2*dynamostate.Page + 300
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := k; i < n; i += 4 {
				// Three hundred in one bucket, the rest an hour apart.
				u := tus.Upload{ID: tus.ID(fmt.Sprintf("u%04d", i)), Length: 1, Expires: now.Add(time.Duration(max(i, 300)-300) * time.Hour)}
				if i%7 == 0 {
					u.Expires = time.Time{}
				}
				if _, err := st.Create(t.Context(), u, claim(0, 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, ok := get(t, client, "u0007")["h"]; ok {
		t.Error("what never expires is in the index")
	}
	w.since()
	list := func(at time.Time) []int {
		var got []int
		for id, err := range st.Due(t.Context(), at) {
			noError(t, err)
			var i int
			_ = must(fmt.Sscanf(string(id), "u%d", &i))
			got = append(got, i)
		}
		return got
	}
	want := func(upTo int) (all []int) {
		for i := range upTo {
			if i%7 != 0 {
				all = append(all, i)
			}
		}
		return all
	}
	got := list(now.Add(199 * time.Hour))
	if later := got[slices.IndexFunc(got, func(i int) bool { return i > 300 }):]; !slices.IsSorted(later) {
		t.Errorf("not in the order of time: %v", later)
	}
	slices.Sort(got)
	if !slices.Equal(got, want(500)) {
		t.Errorf("due are %v", got)
	}
	reads := 0
	for _, c := range w.since() {
		switch c {
		case "Query":
		case "BatchGetItem":
			reads++
		default:
			t.Errorf("Due called %s", c)
		}
	}
	if most := len(want(500))/100 + 1; reads > most {
		t.Errorf("%d batches read, want %d", reads, most)
	}
	list(now.Add(-time.Hour))
	called(t, w, "Due with nothing due", slices.Repeat([]string{"Query"}, 16)...)
	if n, err := st.Read(t.Context(), "u0003", "u0001", "nobody", "u0003"); n != 2 || err != nil {
		t.Errorf("of two records, asked for thrice, %d were read: %v", n, err)
	}
	for range st.Due(t.Context(), now) {
		break // a caller may stop
	}
}

// must is for test helpers that cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A program of a newer version may add attributes: an older one keeps them. An item of a newer format it leaves alone.
func TestItemsOfNewerPrograms(t *testing.T) {
	st, client, _ := open(t, nil)
	ctx := t.Context()
	try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(0, 0)))(t)
	change := func(name string, v types.AttributeValue) {
		try(client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: aws.String(table), Key: dynamostate.Key("a"), UpdateExpression: aws.String("SET #a = :v"),
			ExpressionAttributeNames: map[string]string{"#a": name}, ExpressionAttributeValues: map[string]types.AttributeValue{":v": v},
		}))(t)
	}
	change("later", &types.AttributeValueMemberS{Value: "kept"})
	l := try(st.Acquire(ctx, "a", claim(time.Minute, 0)))(t)
	try(st.Commit(ctx, l, l.Upload, claim(0, 0)))(t)
	if v, ok := get(t, client, "a")["later"].(*types.AttributeValueMemberS); !ok || v.Value != "kept" {
		t.Error("an attribute of a newer program is lost")
	}
	change("v", &types.AttributeValueMemberN{Value: "2"})
	before := get(t, client, "a")
	_, err1 := st.Load(ctx, "a")
	_, err2 := st.Acquire(ctx, "a", claim(time.Minute, 0))
	for _, err := range []error{err1, err2} {
		if err == nil || err.Error() == "" {
			t.Errorf("a newer format was read: %v", err)
		}
	}
	if dynamostate.Size(before) != dynamostate.Size(get(t, client, "a")) {
		t.Error("an item of a newer format was changed")
	}
}
