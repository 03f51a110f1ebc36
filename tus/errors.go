package tus

import (
	"errors"
	"fmt"
	"time"
)

// Facts that drivers report. The engine turns them into answers; the table is in status.go.
var (
	ErrNotFound    = errors.New("tus: upload not found")
	ErrExists      = errors.New("tus: already exists")
	ErrSuperseded  = errors.New("tus: superseded by a newer lease")
	ErrNoSpace     = errors.New("tus: no space left in the storage")
	ErrUnavailable = errors.New("tus: state or storage is unavailable for now")
	ErrCorrupt     = errors.New("tus: the storage does not hold what was committed")
)

// An OffsetError is Acquire's answer to a claim at another offset than the record's.
type OffsetError struct {
	Upload Upload // the record as it is
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("tus: the upload's offset is %d", e.Upload.Offset)
}

// A LeasedError is Acquire's answer while somebody else's lease has not expired.
type LeasedError struct {
	Upload  Upload    // the record as it is
	Expires time.Time // when the lease may be taken over, by the holder's clock
}

func (e *LeasedError) Error() string {
	return "tus: the upload is leased to another request"
}
