package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/fileloft/fileloft/tus"
)

var (
	errGone   = fmt.Errorf("%w: the upload was removed", tus.ErrSuperseded)
	errPieces = fmt.Errorf("%w: the upload is in too many pieces", tus.ErrNoSpace)
)

// code returns the HTTP status that the store answered with, or 0.
func code(err error) int {
	if e, ok := errors.AsType[*googleapi.Error](err); ok {
		return e.Code
	}
	return 0
}

// isMissing says that an object is not there, or a session, or the bucket.
func isMissing(err error) bool {
	c := code(err)
	return c == 404 || c == 410 || errors.Is(err, storage.ErrObjectNotExist)
}

// noBucket tells the one from the other by the sentence that Google sends.
func noBucket(err error) bool { return strings.Contains(err.Error(), "bucket does not exist") }

// isTaken says that a condition did not hold.
func isTaken(err error) bool { return code(err) == 412 }

// wrap names the verb and the upload in an error, and says what kind it is.
func wrap(verb string, id tus.ID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("gcsstore: %s %s: %w", verb, strings.ToValidUTF8(string(id), "?"), classify(err))
}

// classify adds the port's name for what a store's error means.
func classify(err error) error {
	for _, known := range []error{
		tus.ErrUnavailable, tus.ErrNoSpace, tus.ErrCorrupt, tus.ErrExists, tus.ErrSuperseded, tus.ErrNotFound,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	if c := code(err); c == 408 || c == 429 || c >= 500 {
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	var ne net.Error
	if errors.As(err, &ne) || errors.Is(err, context.DeadlineExceeded) || storage.ShouldRetry(err) {
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	return err
}
