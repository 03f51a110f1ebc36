package dynamostate

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// Options configure a [Store]. Nil and zero mean the default.
type Options struct {
	Now func() time.Time // default: time.Now
	// Retryer says which calls are sent again, how often and after what time. It takes the place of the client's.
	// Default: the SDK's standard one with six attempts, after random waits of at most a second.
	Retryer aws.Retryer
}

// Store is a [tus.State] in a DynamoDB table. It lists records and tells what is due.
type Store struct {
	client  *dynamodb.Client
	table   string
	now     func() time.Time
	retryer aws.Retryer
	attempt time.Duration           // bounds one sending of a call
	call    func(*dynamodb.Options) // for each call
}

var (
	_ tus.State     = (*Store)(nil)
	_ tus.DueLister = (*Store)(nil)
	_ tus.Lister    = (*Store)(nil)
	_ tus.Pinger    = (*Store)(nil)
)

// New returns the state in a table that [CreateTable] or the project's template has made. It makes no call.
func New(client *dynamodb.Client, table string, opt *Options) *Store {
	s := &Store{client: client, table: table, now: time.Now, retryer: newRetryer(), attempt: attemptTimeout}
	if opt != nil && opt.Now != nil {
		s.now = opt.Now
	}
	if opt != nil && opt.Retryer != nil {
		s.retryer = opt.Retryer
	}
	s.call = func(o *dynamodb.Options) {
		o.Retryer = s.retryer
		o.APIOptions = append(o.APIOptions, boundAttempts(s.attempt))
	}
	return s
}

// Create stores a new item; see [tus.State].
func (s *Store) Create(ctx context.Context, u tus.Upload, c tus.Claim) (tus.Lease, error) {
	now := s.now()
	r, lease, err := state.New(u, c, now)
	if err != nil {
		return tus.Lease{}, err
	}
	var e expression
	e.when(e.name(attrID), "attribute_not_exists(%s)")
	_, err = s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: encode(r), ConditionExpression: e.condition(), ExpressionAttributeNames: e.names,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, s.call)
	if err == nil {
		return lease, nil
	}
	old, err := s.unmet("create", u.ID, err)
	switch {
	case err != nil:
		return tus.Lease{}, err
	case old.Nonce != c.Nonce || old.Upload.Birth != u.Birth:
		return tus.Lease{}, tus.ErrExists
	}
	return again(old, c, now)
}

// Load reads the item; see [tus.State].
func (s *Store) Load(ctx context.Context, id tus.ID) (tus.Upload, error) {
	if id.Validate() != nil {
		return tus.Upload{}, tus.ErrNotFound // no such key can be asked for
	}
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: key(id), ConsistentRead: aws.Bool(true),
	}, s.call)
	if err != nil {
		return tus.Upload{}, s.explain("load", id, err)
	}
	if out.Item == nil {
		return tus.Upload{}, tus.ErrNotFound
	}
	r, err := s.decode("load", id, out.Item)
	return r.Upload, err
}

// Acquire grants a lease; see [tus.State]. The update and its condition say what [state.Grant] says, without knowing
// the record: a grant on an empty one tells what to add. Due stays as it is: see [Store.Due].
func (s *Store) Acquire(ctx context.Context, id tus.ID, c tus.Claim) (tus.Lease, error) {
	now := s.now()
	free := c
	free.Offset = tus.AnyOffset
	grant, _, err := state.Grant(state.Record{Upload: tus.Upload{ID: id}}, free, now)
	if err != nil {
		return tus.Lease{}, err
	}
	if id.Validate() != nil {
		return tus.Lease{}, tus.ErrNotFound
	}
	n := int64(grant.Upload.NextSlot)

	var e expression
	e.add(attrEpoch, number(int64(grant.Epoch)))
	e.add(attrNextSlot, number(n))
	e.set(attrNonce, text(grant.Nonce))
	e.set(attrLease, number(millis(grant.LeaseUntil)))
	e.when(e.name(attrFormat), "%s <= "+e.value(number(format))) // false where there is no item
	e.when(e.name(attrNonce), "%s <> "+e.value(text(c.Nonce)))   // else the call was made before
	e.when(e.name(attrNextSlot), "%s <= "+e.value(number(math.MaxUint32-n)))
	if !c.Steal {
		e.when(e.name(attrLease), "(attribute_not_exists(%[1]s) OR %[1]s <= "+e.value(number(now.UnixMilli()))+")")
	}
	if c.Offset != tus.AnyOffset {
		e.when(e.name(attrOffset), "%s = "+e.value(number(c.Offset)))
	}
	out, err := s.client.UpdateItem(ctx, e.update(s.table, id, types.ReturnValueAllNew), s.call)
	if err == nil {
		r, err := s.decode("acquire", id, out.Attributes)
		if err != nil {
			return tus.Lease{}, err
		}
		return again(r, c, now)
	}
	old, err := s.unmet("acquire", id, err)
	switch {
	case err != nil:
		return tus.Lease{}, err
	case old.Epoch == 0:
		return tus.Lease{}, tus.ErrNotFound
	}
	_, lease, err := state.Grant(old, c, now)
	if err == nil && old.Nonce != c.Nonce {
		return tus.Lease{}, s.riddle("acquire", id)
	}
	return lease, err
}

// Commit replaces the record; see [tus.State]. It writes every attribute, so it needs no answer to know the result.
func (s *Store) Commit(ctx context.Context, l tus.Lease, next tus.Upload, c tus.Claim) (tus.Lease, error) {
	now, id := s.now(), l.Upload.ID
	r, renewed, err := state.Advance(state.Held(l), l, next, c, now)
	if err != nil {
		return tus.Lease{}, err
	}
	it := encode(r)
	var e expression
	for _, name := range attributes {
		if v, ok := it[name]; ok {
			e.set(name, v)
		} else {
			e.remove(name)
		}
	}
	e.held(l)
	_, err = s.client.UpdateItem(ctx, e.update(s.table, id, types.ReturnValueNone), s.call)
	if err == nil {
		return renewed, nil
	}
	old, err := s.unmet("commit", id, err)
	switch {
	case err != nil:
		return tus.Lease{}, err
	case old.Epoch == 0:
		return tus.Lease{}, tus.ErrSuperseded
	}
	_, renewed, err = state.Advance(old, l, next, c, now)
	if err == nil && old.Nonce != c.Nonce {
		return tus.Lease{}, s.riddle("commit", id)
	}
	return renewed, err
}

// Delete removes the item; see [tus.State].
func (s *Store) Delete(ctx context.Context, l tus.Lease) error {
	id := l.Upload.ID
	var e expression
	e.held(l)
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: key(id), ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, s.call)
	if err == nil {
		return nil
	}
	old, err := s.unmet("delete", id, err)
	if err != nil || old.Epoch == 0 {
		return err
	}
	gone, err := state.Remove(old, l)
	if err == nil && !gone {
		return s.riddle("delete", id)
	}
	return err
}

// Ping reads one item that is never there, at the price of half a read unit.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: key("?")}, s.call)
	return s.explain("ping", "", err)
}

// again returns the lease that a record carries which the call c wrote.
func again(r state.Record, c tus.Claim, now time.Time) (tus.Lease, error) {
	if c.TTL == 0 { // Grant refuses that before it looks; a released lease has no slots
		c.TTL, c.Slots = 1, 0
	}
	_, lease, err := state.Grant(r, c, now)
	return lease, err
}

func key(id tus.ID) item { return item{attrID: &types.AttributeValueMemberS{Value: string(id)}} }

// decode reads an item of the table.
func (s *Store) decode(verb string, id tus.ID, it item) (state.Record, error) {
	r, err := decode(it)
	if err != nil {
		return state.Record{}, s.explain(verb, id, err)
	}
	return r, nil
}

// riddle is the error for a condition that failed although the rules say that it holds. Either is wrong then.
func (s *Store) riddle(verb string, id tus.ID) error {
	return s.explain(verb, id, fmt.Errorf("the condition of the write failed, and the item does not show why"))
}
