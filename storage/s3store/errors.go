package s3store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/fileloft/fileloft/tus"
)

var (
	errGone    = fmt.Errorf("%w: the upload was removed", tus.ErrSuperseded)
	errSlots   = errors.New("the lease has no slot left")
	errZero    = errors.New("slot 0: S3 numbers parts from 1 up")
	errPart    = fmt.Errorf("%w: a part is missing", tus.ErrCorrupt)
	errNumbers = fmt.Errorf("%w: S3's part numbers are used up", tus.ErrNoSpace)
)

// code returns the error code that the store answered with. Codes are compared, not types: compatible stores send them
// where the SDK expects none, and HEAD has no body to carry one.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func status(err error) int {
	var e *smithyhttp.ResponseError
	if errors.As(err, &e) {
		return e.HTTPStatusCode()
	}
	return 0
}

func isMissing(err error) bool {
	c := code(err)
	return c == "NoSuchKey" || c == "NotFound" || c == "" && status(err) == 404
}

func isNoUpload(err error) bool { return code(err) == "NoSuchUpload" }

// isTaken says that a condition did not hold, or could not be checked because of another write at the same time.
func isTaken(err error) bool {
	switch code(err) {
	case "PreconditionFailed", "ConditionalRequestConflict":
		return true
	}
	return status(err) == 412
}

// wrap names the verb and the upload in an error, and says what kind it is.
func wrap(verb string, id tus.ID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("s3store: %s %s: %w", verb, strings.ToValidUTF8(string(id), "?"), classify(err))
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
	switch code(err) {
	case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException",
		"RequestLimitExceeded", "RequestTimeTooSkewed", "OperationAborted", "ConditionalRequestConflict":
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	case "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "EntityTooLarge":
		return fmt.Errorf("%w: %w", tus.ErrNoSpace, err)
	}
	if s := status(err); s == 429 || s == 500 || s >= 502 && s <= 504 {
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	var ne net.Error
	if errors.As(err, &ne) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
	}
	return err
}

// sameETag compares an ETag, which comes in quotes, with an MD5.
func sameETag(etag string, sum []byte) bool { return bare(etag) == hex.EncodeToString(sum) }

func bare(etag string) string { return strings.Trim(etag, `"`) }
