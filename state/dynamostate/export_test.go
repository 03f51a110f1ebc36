package dynamostate

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fileloft/fileloft/tus"
)

// BoundAttempts changes how long one sending of a call may take.
func (s *Store) BoundAttempts(d time.Duration) { s.attempt = d }

// Key returns the key of an upload's item.
func Key(id tus.ID) map[string]types.AttributeValue { return key(id) }

// Page is how many entries of the index a listing asks for at once.
const Page = page
