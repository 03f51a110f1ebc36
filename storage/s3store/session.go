package s3store

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/fileloft/fileloft/tus"
)

func (s *Store) tailKey(u *tus.Upload, name string) string {
	return s.dir(lifeOf(u)) + tailPrefix + name
}

// begin makes a session for the upload's object, and a note of it: the store's own list of sessions does not tell
// whose they are. A session without a note was never in a cursor.
func (s *Store) begin(ctx context.Context, u *tus.Upload) (string, error) {
	key, err := s.key(u)
	if err != nil {
		return "", err
	}
	h := s.headers(u)
	in := &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, ContentType: h.contentType, ContentDisposition: h.disposition, Metadata: h.meta,
		StorageClass: types.StorageClass(s.opt.StorageClass), Tagging: optional(s.opt.Tagging),
	}
	in.ServerSideEncryption, in.SSEKMSKeyId = s.encryption()
	out, err := s.s3.CreateMultipartUpload(ctx, in)
	if err != nil {
		return "", err
	}
	id := aws.ToString(out.UploadId)
	if id == "" {
		return "", errors.New("the store gave the session no id")
	}
	note := s.dir(lifeOf(u)) + noteName(id)
	if len(note) > maxNoteKey {
		return "", errors.New("the session's id is too long to be noted")
	}
	if err := s.put(ctx, note, key); err != nil {
		return "", err
	}
	return id, nil
}

// put stores a few bytes of the driver's own.
func (s *Store) put(ctx context.Context, key, text string) error {
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader(text)}
	in.ServerSideEncryption, in.SSEKMSKeyId = s.encryption()
	_, err := s.s3.PutObject(ctx, in)
	return err
}

func (s *Store) putTail(ctx context.Context, key string, pieces []piece, sum []byte) error {
	b := s.body(ctx, pieces)
	if err := b.prime(); err != nil {
		return b.done(err)
	}
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: b, ContentLength: &b.size, ContentMD5: s.tailTags.ask(sum)}
	in.ServerSideEncryption, in.SSEKMSKeyId = s.encryption()
	out, err := s.s3.PutObject(ctx, in, unsigned)
	if err != nil {
		return b.done(err)
	}
	return errors.Join(s.tailTags.check(in.ContentMD5, aws.ToString(out.ETag), sum), b.done(nil))
}

// putPart stores a part and returns its ETag.
func (s *Store) putPart(ctx context.Context, u *tus.Upload, session string, number uint32, pieces []piece, sum []byte) (string, error) {
	key, err := s.key(u)
	if err != nil {
		return "", err
	}
	b := s.body(ctx, pieces)
	if err := b.prime(); err != nil {
		return "", b.done(err)
	}
	in := &s3.UploadPartInput{
		Bucket: &s.bucket, Key: &key, UploadId: &session, PartNumber: aws.Int32(int32(number)),
		Body: b, ContentLength: &b.size, ContentMD5: s.partTags.ask(sum),
	}
	out, err := s.s3.UploadPart(ctx, in, unsigned)
	if err != nil {
		return "", b.done(err)
	}
	etag := aws.ToString(out.ETag)
	return etag, errors.Join(s.partTags.check(in.ContentMD5, etag, sum), b.done(nil))
}

// abort ends a session. One that is gone has ended.
func (s *Store) abort(ctx context.Context, key, session string) error {
	_, err := s.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &session})
	if isNoUpload(err) || isMissing(err) {
		return nil
	}
	return err
}

// remove deletes an object. One that is gone counts.
func (s *Store) remove(ctx context.Context, key string) error {
	_, err := s.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	if isMissing(err) {
		return nil
	}
	return err
}
