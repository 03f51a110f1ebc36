package dynamostate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// unmet returns the record that made the condition of a write fail, the zero Record where there was none; or the error,
// explained, where it is another.
func (s *Store) unmet(verb string, id tus.ID, err error) (state.Record, error) {
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case !ok:
		return state.Record{}, s.explain(verb, id, err)
	case len(failed.Item) == 0:
		return state.Record{}, nil
	}
	return s.decode(verb, id, failed.Item)
}

// explain adds to an error what was wanted, and what a person can do about it. What may be over soon is ErrUnavailable.
func (s *Store) explain(verb string, id tus.ID, err error) error {
	if err == nil {
		return nil
	}
	if id != "" {
		verb += " " + string(id)
	}
	return fmt.Errorf("dynamostate: %s: %w", verb, explained(err, s.table, s.retryer))
}

func explained(err error, table string, retryer aws.Retryer) error {
	switch {
	case errors.As(err, new(*types.ResourceNotFoundException)):
		return fmt.Errorf("there is no table %q in this account and region, or it is still being made: make it with the "+
			"project's templates, with fileloft state init or dynamostate.CreateTable, or name another one: %w", table, err)
	case lacksIndex(err):
		return fmt.Errorf("the table %q has no index %q: it was not made by the project's template: %w", table, Index, err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), retryer.IsErrorRetryable(err):
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	return err
}

// lacksIndex reports whether err is DynamoDB's answer to a Query of an index that the table does not have. It has no type
// of its own.
func lacksIndex(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == "ValidationException" && strings.Contains(e.ErrorMessage(), "specified index")
}
