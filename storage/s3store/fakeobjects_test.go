package s3store

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/fileloft/fileloft/tus"
)

func (f *fake) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	b, sum, err := f.receive(in.Body, in.ContentLength, in.ContentMD5)
	if err != nil {
		return nil, err
	}
	done, err := f.call(ctx, "PutObject")
	if err != nil {
		return nil, err
	}
	defer done()
	f.sent += int64(len(b))
	if aws.ToString(in.IfNoneMatch) == "*" && f.objects[*in.Key] != nil {
		return nil, fault("PreconditionFailed")
	}
	if strings.Contains(*in.Key, "/"+tailPrefix) {
		if old, ok := f.written[*in.Key]; ok && old != string(sum) {
			f.violations = append(f.violations, "tail "+*in.Key+" was written twice")
		}
		f.written[*in.Key] = string(sum)
	}
	o := &fakeObject{b, int64(len(b)), strconv.Quote(hex.EncodeToString(sum)), in.Metadata, time.Now()}
	f.objects[*in.Key] = o
	return &s3.PutObjectOutput{ETag: &o.etag}, nil
}

func (f *fake) GetObject(ctx context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	done, err := f.call(ctx, "GetObject")
	if err != nil {
		return nil, err
	}
	defer done()
	o := f.objects[*in.Key]
	if o == nil {
		return nil, fault("NoSuchKey")
	}
	b, err := cut(o, in.Range)
	if err != nil {
		return nil, err
	}
	f.got += int64(len(b))
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(b)), Metadata: o.meta, ETag: &o.etag}, nil
}

func (f *fake) HeadObject(ctx context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	done, err := f.call(ctx, "HeadObject")
	if err != nil {
		return nil, err
	}
	defer done()
	o := f.objects[*in.Key]
	if o == nil {
		return nil, fault("NotFound")
	}
	return &s3.HeadObjectOutput{ContentLength: &o.size, ETag: &o.etag, Metadata: o.meta}, nil
}

func (f *fake) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	done, err := f.call(ctx, "DeleteObject")
	if err != nil {
		return nil, err
	}
	defer done()
	o := f.objects[*in.Key]
	if in.IfMatch != nil && (o == nil || o.etag != *in.IfMatch) {
		return nil, fault("PreconditionFailed")
	}
	delete(f.objects, *in.Key)
	return &s3.DeleteObjectOutput{}, nil
}

func (f *fake) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	done, err := f.call(ctx, "ListObjectsV2")
	if err != nil {
		return nil, err
	}
	defer done()
	var keys []string
	for k := range f.objects {
		if strings.HasPrefix(k, *in.Prefix) && k > aws.ToString(in.ContinuationToken) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	out := &s3.ListObjectsV2Output{}
	if len(keys) > 10 { // S3: 1,000
		keys = keys[:10]
		out.IsTruncated, out.NextContinuationToken = aws.Bool(true), aws.String(keys[9])
	}
	for _, k := range keys {
		o := f.objects[k]
		out.Contents = append(out.Contents, types.Object{Key: aws.String(k), Size: &o.size, LastModified: &o.made, ETag: &o.etag})
	}
	return out, nil
}

func (f *fake) HeadBucket(ctx context.Context, _ *s3.HeadBucketInput, _ ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	return &s3.HeadBucketOutput{}, ctx.Err()
}

// pieces lists what is there of an id in all its lives, signs apart.
func (f *fake) pieces(s *Store, u tus.Upload) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for k, o := range f.objects {
		l, name, ok := s.parsePiece(k)
		if ok && l.id == u.ID && name != signName || o.meta[metaID] == string(u.ID) {
			names = append(names, k)
		}
	}
	for id, ses := range f.sessions {
		if ses.meta[metaID] == string(u.ID) {
			names = append(names, fmt.Sprintf("session %s of %s, birth %s", id, ses.key, ses.meta[metaBirth]))
		}
	}
	return names
}

// seen returns a copy of what was noticed.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.violations)
}

// used returns how often each call was made since the last time, with the bytes that went up and down.
func (f *fake) used() (calls map[string]int, sent, got int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls, sent, got = f.calls, f.sent, f.got
	f.calls, f.sent, f.got = map[string]int{}, 0, 0
	return calls, sent, got
}
