package dynamostate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/tus"
)

// expression gathers an update and its condition. Names go in as placeholders, since any word may be reserved.
type expression struct {
	sets, removes, conditions []string
	names                     map[string]string
	values                    item
}

func (e *expression) name(attr string) string {
	if e.names == nil {
		e.names = map[string]string{}
	}
	e.names["#"+attr] = attr
	return "#" + attr
}

func (e *expression) value(v types.AttributeValue) string {
	if e.values == nil {
		e.values = item{}
	}
	placeholder := ":" + strconv.Itoa(len(e.values))
	e.values[placeholder] = v
	return placeholder
}

func (e *expression) set(attr string, v types.AttributeValue) {
	e.sets = append(e.sets, e.name(attr)+" = "+e.value(v))
}

// add raises a number that is there.
func (e *expression) add(attr string, v types.AttributeValue) {
	e.sets = append(e.sets, fmt.Sprintf("%[1]s = %[1]s + %[2]s", e.name(attr), e.value(v)))
}

func (e *expression) remove(attr string) { e.removes = append(e.removes, e.name(attr)) }

// when adds a condition, a format that takes an attribute's placeholder.
func (e *expression) when(name, condition string) {
	e.conditions = append(e.conditions, fmt.Sprintf(condition, name))
}

// held adds the condition that nobody has written since l was granted or renewed. It takes all three marks.
func (e *expression) held(l tus.Lease) {
	e.when(e.name(attrBirth), "%s = "+e.value(text(l.Upload.Birth)))
	e.when(e.name(attrEpoch), "%s = "+e.value(&types.AttributeValueMemberN{Value: strconv.FormatUint(uint64(l.Epoch), 10)}))
	e.when(e.name(attrNonce), "%s = "+e.value(text(l.Nonce)))
}

func (e *expression) condition() *string {
	all := strings.Join(e.conditions, " AND ")
	return &all
}

// update returns the call.
func (e *expression) update(table string, id tus.ID, want types.ReturnValue) *dynamodb.UpdateItemInput {
	update := "SET " + strings.Join(e.sets, ", ")
	if len(e.removes) > 0 {
		update += " REMOVE " + strings.Join(e.removes, ", ")
	}
	return &dynamodb.UpdateItemInput{
		TableName: &table, Key: key(id), UpdateExpression: &update, ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValues: want,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}
