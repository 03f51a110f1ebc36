package dynamostate

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/tus"
)

// BoundAttempts changes how long one sending of a call may take.
func (s *Store) BoundAttempts(d time.Duration) { s.attempt = d }

// Read returns how many records of the ids are there.
func (s *Store) Read(ctx context.Context, ids ...tus.ID) (int, error) {
	records, err := s.read(ctx, ids)
	return len(records), err
}

// Key returns the key of an upload's item.
func Key(id tus.ID) map[string]types.AttributeValue { return key(id) }

// Page is how many entries of the index a listing asks for at once.
const Page = page
