package s3store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/fileloft/fileloft/tus"
)

// Complete implements tus.Storage.
func (s *Store) Complete(ctx context.Context, lease tus.Lease) (tus.Stored, error) {
	u := &lease.Upload
	err := s.complete(ctx, lease)
	if err != nil {
		return tus.Stored{}, wrap("complete", u.ID, err)
	}
	return tus.Stored{Size: u.Length}, nil
}

func (s *Store) complete(ctx context.Context, lease tus.Lease) error {
	u := &lease.Upload
	c, err := parseCursor(u.Cursor)
	if err != nil {
		return err
	}
	if u.Phase != tus.Sealed || u.Offset != u.Length {
		return fmt.Errorf("the upload is %v at %d of %d bytes", u.Phase, u.Offset, u.Length)
	}
	key, err := s.key(u)
	if err != nil {
		return err
	}
	if s.opt.Unconditional {
		if own, err := s.published(ctx, u, key); own || err != nil {
			return err
		}
	}
	if c.Session == "" {
		err = s.completeSmall(ctx, u, key, &c)
	} else {
		err = s.completeSession(ctx, lease, key, &c)
	}
	if err == nil {
		s.tidy(ctx, u, &c)
	}
	return err
}

// published reports whether the upload's own object is in place. ErrExists: it is another's.
func (s *Store) published(ctx context.Context, u *tus.Upload, key string) (bool, error) {
	out, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	switch {
	case isMissing(err):
		return false, nil
	case err != nil:
		return false, err
	case out.Metadata[metaBirth] != u.Birth || out.Metadata[metaID] != string(u.ID):
		return false, fmt.Errorf("key %q: %w", key, tus.ErrExists)
	case aws.ToInt64(out.ContentLength) != u.Length:
		return false, fmt.Errorf("%w: the object has %d bytes of %d", tus.ErrCorrupt, aws.ToInt64(out.ContentLength), u.Length)
	}
	return true, nil
}

// errUnseen is a completion that the store affirmed.
var errUnseen = fmt.Errorf("%w: complete session: the store says that it is, and shows no object", tus.ErrUnavailable)

// settle explains what came of the request that was to publish: the object may be in place in spite of an error. A session that is
// gone, or was completed before, is one that somebody completes, perhaps this moment: where the object is not seen soon, the next try
// will see it. It is not called corrupt, because the engine would remove the upload, and with it what is being published.
func (s *Store) settle(ctx context.Context, u *tus.Upload, key string, why error) error {
	own, err := s.published(ctx, u, key)
	if isNoUpload(why) || errors.Is(why, errPart) || errors.Is(why, errUnseen) {
		for wait := s.look; wait < 4*s.look && !own && err == nil; wait *= 2 {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w, after %s", ctx.Err(), why.Error())
			case <-time.After(wait):
			}
			own, err = s.published(ctx, u, key)
		}
	}
	switch {
	case err != nil:
		// What why means is not known while the object cannot be looked for: only err's kind counts.
		return fmt.Errorf("%w, after %s", err, why.Error())
	case own:
		return nil
	case isTaken(why), isNoUpload(why): // taken, and free again meanwhile; or see above
		return fmt.Errorf("%w: %w", tus.ErrUnavailable, why)
	}
	return why
}

// completeSmall publishes an upload that never had a session: what its tails hold, or nothing, in one PutObject. Remove
// leaves a sign for these, because it has no session to end. The look before spares most late calls the PutObject; the
// look after it is what a call needs that was overtaken in between.
func (s *Store) completeSmall(ctx context.Context, u *tus.Upload, key string, c *cursor) error {
	if c.tailSize() != u.Length {
		return fmt.Errorf("%w: tails of %d bytes instead of %d", tus.ErrCorrupt, c.tailSize(), u.Length)
	}
	if err := s.gone(ctx, u); err != nil {
		return err
	}
	sum, err := unpackMD5(c.TailSum)
	if err != nil {
		return err
	}
	b, h := s.body(ctx, s.tailPieces(u, c)), s.headers(u)
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: b, ContentLength: &b.size, ContentMD5: text(sum.Sum(nil)),
		ContentType: h.contentType, ContentDisposition: h.disposition, Metadata: h.meta,
		StorageClass: types.StorageClass(s.opt.StorageClass), Tagging: optional(s.opt.Tagging), IfNoneMatch: s.ifNone(),
	}
	in.ServerSideEncryption, in.SSEKMSKeyId = s.encryption()
	if err = b.prime(); err == nil {
		_, err = s.s3.PutObject(ctx, in, unsigned)
	}
	if err = b.done(err); err != nil {
		return s.settle(ctx, u, key, fmt.Errorf("put object: %w", err))
	}
	err = s.gone(ctx, u)
	if errors.Is(err, errGone) { // nothing else is a reason: the object may be the upload's, by another call
		err = errors.Join(err, s.removeObject(ctx, u, key))
	}
	return err
}

func (s *Store) ifNone() *string {
	if s.opt.Unconditional {
		return nil
	}
	return aws.String("*")
}

// gone looks for the sign that Remove leaves.
func (s *Store) gone(ctx context.Context, u *tus.Upload) error {
	_, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String(s.dir(lifeOf(u)) + signName)})
	switch {
	case err == nil:
		return errGone
	case isMissing(err):
		return nil
	}
	return fmt.Errorf("look for a sign of removal: %w", err)
}

func (s *Store) tailPieces(u *tus.Upload, c *cursor) []piece {
	var ps []piece
	for _, t := range c.Tails {
		ps = append(ps, piece{key: s.tailKey(u, t.Name), n: t.Size})
	}
	return ps
}

// completeSession makes the object of the committed parts, and of what the tails hold as the last one. Its number is the
// first that no piece has: two calls, of a late holder and of the newest, write the same bytes under it.
func (s *Store) completeSession(ctx context.Context, lease tus.Lease, key string, c *cursor) error {
	u := &lease.Upload
	parts, size, err := s.listParts(ctx, key, c)
	if isNoUpload(err) || errors.Is(err, errPart) {
		if err := s.settle(ctx, u, key, err); !errors.Is(err, errPart) {
			return err
		}
		parts, size, err = s.listParts(ctx, key, c) // it is not being completed: what is missing now is lost
		if isNoUpload(err) {
			err = fmt.Errorf("%w: %w", tus.ErrUnavailable, err)
		}
	}
	if err != nil {
		return err
	}
	if size += c.tailSize(); size != u.Length {
		return fmt.Errorf("%w: the store holds %d bytes of %d", tus.ErrCorrupt, size, u.Length)
	}
	if len(c.Tails) > 0 {
		number := min(max(lease.Slots.First, c.lastNumber()+1), maxNumber)
		sum, err := unpackMD5(c.TailSum)
		if err != nil {
			return err
		}
		md5 := sum.Sum(nil)
		etag, err := s.putPart(ctx, u, c.Session, number, s.tailPieces(u, c), md5)
		if err != nil {
			return s.settle(ctx, u, key, fmt.Errorf("upload part %d: %w", number, err))
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(number)), ETag: &etag})
		c.addSum(md5, etag)
	}
	return s.join(ctx, u, key, c, parts)
}

// join completes a session, compares the object's ETag with the one that the parts' MD5s make, and looks at the object: a store may
// say yes to a second call while the first is at work, which may yet fail. versitygw does, and S3 does not say what it does.
func (s *Store) join(ctx context.Context, u *tus.Upload, key string, c *cursor, parts []types.CompletedPart) error {
	out, err := s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: &c.Session, IfNoneMatch: s.ifNone(), MpuObjectSize: &u.Length,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return s.settle(ctx, u, key, fmt.Errorf("complete session: %w", err))
	}
	etag := aws.ToString(out.ETag)
	if etag == "" { // an answer that breaks off after its status
		return s.settle(ctx, u, key, fmt.Errorf("%w: complete session: the answer names no object", tus.ErrUnavailable))
	}
	if !c.NoETag && len(c.ETagSum) > 0 && !s.kms() {
		h, err := unpackMD5(c.ETagSum)
		if err != nil {
			return err
		}
		if want := hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts)); bare(etag) != want {
			return fmt.Errorf("%w: the object's ETag is %s instead of %s", tus.ErrCorrupt, bare(etag), want)
		}
	}
	err = s.settle(ctx, u, key, errUnseen)
	if s.opt.Unconditional && errors.Is(err, tus.ErrExists) {
		return nil // another upload has replaced it already, as that option lets it
	}
	return err
}

func (s *Store) kms() bool { return len(s.opt.Encryption) > 3 && s.opt.Encryption[:3] == "aws" }

// listParts returns the committed parts as the store has them, and their size.
func (s *Store) listParts(ctx context.Context, key string, c *cursor) ([]types.CompletedPart, int64, error) {
	var parts []types.CompletedPart
	size, check := int64(0), cursor{}
	runs := c.runs
	next := runs[0].First
	in := &s3.ListPartsInput{Bucket: &s.bucket, Key: &key, UploadId: &c.Session}
	for {
		out, err := s.s3.ListParts(ctx, in)
		if err != nil {
			return nil, 0, err
		}
		for _, p := range out.Parts {
			number := uint32(aws.ToInt32(p.PartNumber))
			if len(runs) == 0 || number < next {
				continue // not committed
			}
			if number > next {
				return nil, 0, fmt.Errorf("%w: %d", errPart, next)
			}
			parts = append(parts, types.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag})
			size += aws.ToInt64(p.Size)
			if !c.NoETag {
				sum, _ := hex.DecodeString(bare(aws.ToString(p.ETag)))
				check.addSum(sum, aws.ToString(p.ETag))
			}
			if next++; next == runs[0].End() {
				if runs = runs[1:]; len(runs) > 0 {
					next = runs[0].First
				}
			}
		}
		if !aws.ToBool(out.IsTruncated) || len(runs) == 0 {
			break
		}
		in.PartNumberMarker = out.NextPartNumberMarker
	}
	switch {
	case len(runs) > 0:
		return nil, 0, fmt.Errorf("%w: %d", errPart, next)
	case !c.NoETag && string(check.ETagSum) != string(c.ETagSum):
		return nil, 0, fmt.Errorf("%w: the parts' ETags are not those of the bytes that were sent", tus.ErrCorrupt)
	}
	return parts, size, nil
}

// tidy deletes the pieces of a finished upload that its cursor names. What it misses, Remove and Collect find.
func (s *Store) tidy(ctx context.Context, u *tus.Upload, c *cursor) {
	for _, t := range c.Tails {
		_ = s.remove(ctx, s.tailKey(u, t.Name))
	}
	for _, name := range c.Drop {
		_ = s.remove(ctx, s.tailKey(u, name))
	}
	if c.Session != "" {
		_ = s.remove(ctx, s.dir(lifeOf(u))+noteName(c.Session))
	}
}
