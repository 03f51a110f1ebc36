package firestorestate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// explain adds to an error what was wanted, and what a person can do about it. What may be over soon is ErrUnavailable.
func explain(ctx context.Context, verb string, err error) error {
	if err == nil || errors.Is(err, tus.ErrExists) || errors.Is(err, state.ErrConflict) {
		return err
	}
	return fmt.Errorf("firestorestate: %s: %w", verb, explained(ctx, err))
}

func explained(ctx context.Context, err error) error {
	cause := ctx.Err()
	switch {
	case errors.Is(cause, context.Canceled):
		return cause // what gRPC makes of it is no context's error any more
	case cause != nil:
		return fmt.Errorf("%w: %w: %w", tus.ErrUnavailable, cause, err)
	case transient(err):
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	switch code := status.Code(err); {
	case code == codes.NotFound:
		return fmt.Errorf("there is no such database in the project: make it with the project's Terraform or by gcloud firestore "+
			"databases create, in Native mode, or name another one: %w", err)
	case code == codes.PermissionDenied:
		return fmt.Errorf("the service account must be allowed to use the database, by the role roles/datastore.user, and "+
			"the project must have the Firestore API switched on: %w", err)
	case code == codes.Unauthenticated:
		return fmt.Errorf("no valid credentials were found for Google Cloud: %w", err)
	case code == codes.FailedPrecondition && strings.Contains(err.Error(), "index"):
		return fmt.Errorf("the index of the collection is missing or still being built: make it with the project's Terraform or "+
			"by fileloft state init: %w", err)
	case code == codes.FailedPrecondition && strings.Contains(err.Error(), "Datastore Mode"):
		return fmt.Errorf("the database must be in Native mode: make another one: %w", err)
	}
	return err
}
