package azurestore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/fileloft/fileloft/tus"
)

var (
	errGone    = fmt.Errorf("%w: the upload was removed", tus.ErrSuperseded)
	errSlots   = errors.New("the lease has no slot left")
	errBlocks  = fmt.Errorf("%w: the upload is in too many blocks", tus.ErrNoSpace)
	errUnbound = fmt.Errorf("%w: the blocks of this upload must be bound first", tus.ErrUnavailable)
	errLost    = errors.New("a stage is gone")
	errCopying = errors.New("the object is not there yet")
)

// isMissing says that a blob is not there, or the source of one.
func isMissing(err error) bool {
	if bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ResourceNotFound) {
		return true
	}
	return status(err) == 404 && bloberror.HasCode(err, bloberror.CannotVerifyCopySource)
}

// isTaken says that a condition did not hold.
func isTaken(err error) bool {
	return status(err) == 412 || bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.PendingCopyOperation)
}

// isNoBlock says that a block of a list is not there.
func isNoBlock(err error) bool {
	return bloberror.HasCode(err, bloberror.InvalidBlockList)
}

// status returns the HTTP status that the store answered with, or 0.
func status(err error) int {
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return e.StatusCode
	}
	return 0
}

// wrap names the verb and the upload in an error, and says what kind it is.
func wrap(verb string, id tus.ID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("azurestore: %s %s: %w", verb, strings.ToValidUTF8(string(id), "?"), classify(err))
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
	if bloberror.HasCode(err, "Crc64Mismatch") { // changed on its way
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	if bloberror.HasCode(err, bloberror.BlockCountExceedsLimit, bloberror.BlockListTooLong) {
		return fmt.Errorf("%w: %w", tus.ErrNoSpace, err)
	}
	if s := status(err); s == 408 || s == 429 || s >= 500 {
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	var ne net.Error
	if errors.As(err, &ne) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	return err
}
