package dynamostate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/dynamostate"
	"github.com/fileloft/fileloft/state/statetest"
	"github.com/fileloft/fileloft/tus"
)

// impatient returns the SDK's retryer without waits and without a quota.
func impatient(attempts int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

// The SDK repeats what the network loses. No write may count twice, and each must get the answer that a sound network
// would have brought.
func TestABadNetworkIsHidden(t *testing.T) {
	n := 100
	if testing.Short() {
		n = 10
	}
	statetest.Run(t, func(t testing.TB, now func() time.Time) tus.State {
		st, _, w := open(t, &dynamostate.Options{Now: now, Retryer: impatient(50)})
		w.plan(func(string) fault {
			if rand.IntN(8) > 0 {
				return none
			}
			return []fault{loseRequest, loseAnswer, throttle}[rand.IntN(3)]
		})
		return st
	}, &statetest.Options{Seeds: n, Rounds: 10, Repeats: true})
}

func TestLostAnswersAreHarmlessByTheNonce(t *testing.T) {
	st, _, w := open(t, &dynamostate.Options{Retryer: impatient(4)})
	ctx := t.Context()
	w.script(loseAnswer, loseRequest, loseAnswer)
	l := try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b", Length: 9}, claim(0, 0)))(t)
	called(t, w, "Create", slices.Repeat([]string{"PutItem"}, 4)...)
	if l.Epoch != 1 || !l.Expires.IsZero() {
		t.Errorf("Create: %+v", l)
	}
	w.script(loseAnswer)
	l = try(st.Acquire(ctx, "a", claim(time.Minute, 3)))(t)
	if l.Epoch != 2 || l.Slots != (tus.Slots{First: 0, N: 3}) {
		t.Errorf("Acquire: %+v", l)
	}
	next := l.Upload
	next.Offset, next.NextSlot = 9, 1
	w.script(throttle, loseAnswer, throttle)
	l = try(st.Commit(ctx, l, next, claim(time.Minute, 3)))(t)
	if l.Epoch != 2 || l.Slots != (tus.Slots{First: 1, N: 3}) || l.Upload.Offset != 9 {
		t.Errorf("Commit: %+v", l)
	}
	w.script(loseAnswer, loseAnswer)
	noError(t, st.Delete(ctx, l))
	called(t, w, "the others", "UpdateItem", "UpdateItem", "UpdateItem", "UpdateItem", "UpdateItem", "UpdateItem",
		"DeleteItem", "DeleteItem", "DeleteItem")
}

func TestATableInDistressIsUnavailable(t *testing.T) {
	st, client, w := open(t, &dynamostate.Options{Retryer: impatient(3)})
	ctx := t.Context()
	l := try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(time.Minute, 0)))(t)
	for _, f := range []fault{throttle, loseRequest} {
		w.plan(func(string) fault { return f })
		calls := map[string]error{"ping": st.Ping(ctx), "delete a": st.Delete(ctx, l)}
		_, calls["create c"] = st.Create(ctx, tus.Upload{ID: "c"}, claim(0, 0))
		_, calls["load a"] = st.Load(ctx, "a")
		_, calls["acquire a"] = st.Acquire(ctx, "a", claim(time.Minute, 0))
		_, calls["commit a"] = st.Commit(ctx, l, l.Upload, claim(0, 0))
		for _, err := range st.Due(ctx, time.Now()) {
			calls["list what is due"] = err
		}
		for _, err := range st.List(ctx, "") {
			calls["list uploads"] = err
		}
		for what, err := range calls {
			if !errors.Is(err, tus.ErrUnavailable) || !strings.HasPrefix(err.Error(), "dynamostate: "+what+": ") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := len(w.since()); n < 3*len(calls) {
			t.Errorf("%d calls for %d of three attempts", n, len(calls))
		}
	}

	// The default waits between its attempts, but not beyond the deadline.
	patient := dynamostate.New(client, table, nil)
	w.plan(func(string) fault { return throttle })
	soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := patient.Load(soon, "a")
	if !errors.Is(err, tus.ErrUnavailable) || time.Since(start) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func TestAnAnswerThatNeverComesIsAskedForAgain(t *testing.T) {
	st, _, w := open(t, &dynamostate.Options{Retryer: impatient(3)})
	st.BoundAttempts(200 * time.Millisecond)
	ctx := t.Context()
	try(st.Create(ctx, tus.Upload{ID: "a", Birth: "b"}, claim(0, 0)))(t)
	w.since()
	w.script(hang)
	l := try(st.Acquire(ctx, "a", claim(time.Minute, 2)))(t)
	if l.Epoch != 2 || l.Slots.First != 0 {
		t.Errorf("Acquire: %+v", l)
	}
	called(t, w, "Acquire", "UpdateItem", "UpdateItem")
	w.plan(func(string) fault { return hang })
	if _, err := st.Load(ctx, "a"); !errors.Is(err, tus.ErrUnavailable) || !strings.Contains(err.Error(), "no answer within 200ms") {
		t.Errorf("three silences: %v", err)
	}
	called(t, w, "Load", "GetItem", "GetItem", "GetItem")

	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := st.Load(cancelled, "a"); !errors.Is(err, context.Canceled) || errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("a caller who has gone: %v", err)
	}
	called(t, w, "Load", "GetItem")
}

func TestAMissingTableSaysHowToMakeIt(t *testing.T) {
	client := connect(servers.DynamoDB(t), &wire{})
	err := dynamostate.New(client, "nothing", nil).Ping(t.Context())
	if err == nil || errors.Is(err, tus.ErrUnavailable) || !strings.Contains(err.Error(), `no table "nothing"`) ||
		!strings.Contains(err.Error(), "CreateTable") {
		t.Errorf("%v", err)
	}
}

func TestCreateTable(t *testing.T) {
	url := servers.DynamoDB(t)
	client := connect(url, &wire{})
	ctx := t.Context()
	for range 2 { // it can be repeated
		noError(t, dynamostate.CreateTable(ctx, client, table))
	}
	d := try(client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(table)}))(t).Table
	if len(d.GlobalSecondaryIndexes) != 1 || d.GlobalSecondaryIndexes[0].Projection.ProjectionType != types.ProjectionTypeKeysOnly ||
		d.BillingModeSummary == nil || d.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		t.Errorf("the table is %+v", d)
	}
	ttl := try(client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String(table)}))(t).TimeToLiveDescription
	if aws.ToString(ttl.AttributeName) != dynamostate.TTLAttribute || ttl.TimeToLiveStatus != types.TimeToLiveStatusEnabled {
		t.Errorf("the time to live is %+v", ttl)
	}

	for _, name := range []string{"pk", "i"} { // another key, or no index
		other := "other-" + name
		try(client.CreateTable(ctx, &dynamodb.CreateTableInput{
			TableName: &other, BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: &name, KeyType: types.KeyTypeHash}},
		}))(t)
		if err := dynamostate.CreateTable(ctx, client, other); err == nil || !strings.Contains(err.Error(), "choose another name") {
			t.Errorf("another program's table, with the key %q: %v", name, err)
		}
	}
	for _, err := range dynamostate.New(client, "other-i", nil).Due(ctx, time.Now()) {
		if err == nil || !strings.Contains(err.Error(), "was not made by the project's template") {
			t.Errorf("Due of a table without an index: %v", err)
		}
	}
}
