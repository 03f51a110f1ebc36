package s3store

import (
	"fmt"
	"sync/atomic"

	"github.com/fileloft/fileloft/tus"
)

// etags is what a Store has learnt about the ETags of one kind of PUT: whether they are the MD5s of what was sent, as S3's are
// without KMS.
//
// As long as that is not known, Content-MD5 has the store compare. Where it is known the ETag in the answer tells as much, and
// comparing is left to this side: a store that is asked for Content-MD5 computes MD5 twice, or at least waits for it. An ETag
// that does not match then is bytes that were changed on the way, or a bucket whose encryption was changed: the PUT does not
// count, and from then on the store compares again.
type etags struct{ kind atomic.Int32 }

const (
	etagUnknown int32 = iota
	etagMD5
	etagOther
)

// ask returns the Content-MD5 to send, nil where the ETag will do.
func (e *etags) ask(sum []byte) *string {
	if e.kind.Load() == etagMD5 {
		return nil
	}
	return text(sum)
}

// check looks at the ETag that a PUT was answered with. asked is what was sent as Content-MD5.
func (e *etags) check(asked *string, etag string, sum []byte) error {
	switch same := sameETag(etag, sum); {
	case asked != nil && same:
		e.kind.CompareAndSwap(etagUnknown, etagMD5)
	case asked != nil:
		e.kind.Store(etagOther)
	case !same:
		e.kind.Store(etagOther)
		return fmt.Errorf("%w: what was sent has the MD5 %x, and the store's ETag is %s", tus.ErrUnavailable, sum, etag)
	}
	return nil
}
