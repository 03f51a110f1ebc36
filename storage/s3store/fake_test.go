package s3store

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// fake is S3 in memory, as strict as S3's documentation, with a smallest part of its own. It counts calls and bytes, and
// writes down what S3 would silently take and this driver must never do.
type fake struct {
	minPart int64
	discard bool          // keep sizes and sums alone
	slow    time.Duration // what a part takes

	mu         sync.Mutex
	objects    map[string]*fakeObject
	sessions   map[string]*fakeSession
	calls      map[string]int
	sent, got  int64
	names      int
	violations []string
	written    map[string]string // the MD5s of all tails that were ever written
}

type fakeObject struct {
	data []byte
	size int64
	etag string
	meta map[string]string
	made time.Time
}

type fakeSession struct {
	key   string
	meta  map[string]string
	parts map[int32]fakePart

	completing time.Time // until when, where that takes its time
}

type fakePart struct {
	data []byte
	size int64
	sum  []byte
}

func newFake(minPart int64) *fake {
	return &fake{
		minPart: minPart, objects: map[string]*fakeObject{}, sessions: map[string]*fakeSession{}, calls: map[string]int{},
		written: map[string]string{},
	}
}

func fault(code string) error { return &smithy.GenericAPIError{Code: code, Message: "fake"} }

// call counts a call and takes the lock.
func (f *fake) call(ctx context.Context, name string) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.calls[name]++
	return f.mu.Unlock, nil
}

// receive reads a body as S3 does: the length and the MD5 must be those that were announced.
func (f *fake) receive(r io.Reader, length *int64, sum *string) ([]byte, []byte, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, err
	}
	h := md5.Sum(b)
	switch {
	case length != nil && *length != int64(len(b)):
		return nil, nil, fault("IncompleteBody")
	case sum != nil && *sum != base64.StdEncoding.EncodeToString(h[:]):
		return nil, nil, fault("BadDigest")
	}
	return b, h[:], nil
}

func (f *fake) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	done, err := f.call(ctx, "CreateMultipartUpload")
	if err != nil {
		return nil, err
	}
	defer done()
	f.names++
	id := fmt.Sprintf("session/%d", f.names)
	f.sessions[id] = &fakeSession{key: *in.Key, meta: in.Metadata, parts: map[int32]fakePart{}}
	return &s3.CreateMultipartUploadOutput{UploadId: &id}, nil
}

func (f *fake) session(id *string) (*fakeSession, error) {
	if s := f.sessions[*id]; s != nil {
		return s, nil
	}
	return nil, fault("NoSuchUpload")
}

func (f *fake) UploadPart(ctx context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	b, sum, err := f.receive(in.Body, in.ContentLength, in.ContentMD5)
	if err != nil {
		return nil, err
	}
	time.Sleep(f.slow)
	done, err := f.call(ctx, "UploadPart")
	if err != nil {
		return nil, err
	}
	defer done()
	f.sent += int64(len(b))
	etag, err := f.putPart(in.UploadId, *in.PartNumber, b, sum)
	return &s3.UploadPartOutput{ETag: etag}, err
}

func (f *fake) putPart(id *string, number int32, b, sum []byte) (*string, error) {
	s, err := f.session(id)
	if err != nil {
		return nil, err
	}
	if number < 1 || number > 10_000 {
		return nil, fault("InvalidArgument")
	}
	if old, ok := s.parts[number]; ok && !bytes.Equal(old.sum, sum) {
		f.violations = append(f.violations, fmt.Sprintf("part %d of %s was written twice", number, s.key))
	}
	p := fakePart{b, int64(len(b)), sum}
	if f.discard {
		p.data = nil
	}
	s.parts[number] = p
	etag := strconv.Quote(hex.EncodeToString(sum))
	return &etag, nil
}

func (f *fake) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput, _ ...func(*s3.Options)) (*s3.UploadPartCopyOutput, error) {
	done, err := f.call(ctx, "UploadPartCopy")
	if err != nil {
		return nil, err
	}
	defer done()
	src, _ := url.PathUnescape(*in.CopySource)
	o := f.objects[strings.TrimPrefix(src, "b/")]
	if o == nil {
		return nil, fault("NoSuchKey")
	}
	if aws.ToString(in.CopySourceIfMatch) != o.etag {
		return nil, fault("PreconditionFailed")
	}
	b := o.data
	if in.CopySourceRange != nil {
		if o.size <= f.minPart {
			return nil, fault("InvalidRequest")
		}
		if b, err = cut(o, in.CopySourceRange); err != nil {
			return nil, err
		}
	}
	sum := md5.Sum(b)
	etag, err := f.putPart(in.UploadId, *in.PartNumber, b, sum[:])
	return &s3.UploadPartCopyOutput{CopyPartResult: &types.CopyPartResult{ETag: etag}}, err
}

func cut(o *fakeObject, rng *string) ([]byte, error) {
	if rng == nil {
		return o.data, nil
	}
	var from, to int64
	if _, err := fmt.Sscanf(*rng, "bytes=%d-%d", &from, &to); err != nil || from >= o.size || to < from {
		return nil, fault("InvalidRange")
	}
	return o.data[from:min(to+1, o.size)], nil
}

func (f *fake) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	done, err := f.call(ctx, "CompleteMultipartUpload")
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := f.session(in.UploadId)
	if err != nil {
		return nil, err
	}
	o, sums, last := &fakeObject{meta: s.meta, made: time.Now()}, md5.New(), int32(0)
	for i, p := range in.MultipartUpload.Parts {
		have, ok := s.parts[*p.PartNumber]
		switch {
		case *p.PartNumber <= last:
			return nil, fault("InvalidPartOrder")
		case !ok || bare(*p.ETag) != hex.EncodeToString(have.sum):
			return nil, fault("InvalidPart")
		case have.size < f.minPart && i < len(in.MultipartUpload.Parts)-1:
			return nil, fault("EntityTooSmall")
		}
		last = *p.PartNumber
		o.data = append(o.data, have.data...)
		o.size += have.size
		sums.Write(have.sum)
	}
	switch {
	case in.MpuObjectSize != nil && *in.MpuObjectSize != o.size:
		return nil, fault("InvalidRequest")
	case aws.ToString(in.IfNoneMatch) == "*" && f.objects[s.key] != nil:
		return nil, fault("PreconditionFailed")
	}
	o.etag = fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(in.MultipartUpload.Parts))
	f.objects[s.key] = o
	delete(f.sessions, *in.UploadId)
	return &s3.CompleteMultipartUploadOutput{ETag: &o.etag}, nil
}

func (f *fake) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	done, err := f.call(ctx, "AbortMultipartUpload")
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := f.session(in.UploadId)
	if err != nil {
		return nil, err
	}
	if s.key != *in.Key {
		return nil, fault("NoSuchUpload")
	}
	delete(f.sessions, *in.UploadId)
	return &s3.AbortMultipartUploadOutput{}, nil
}

func (f *fake) ListParts(ctx context.Context, in *s3.ListPartsInput, _ ...func(*s3.Options)) (*s3.ListPartsOutput, error) {
	done, err := f.call(ctx, "ListParts")
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := f.session(in.UploadId)
	if err != nil {
		return nil, err
	}
	after, _ := strconv.Atoi(aws.ToString(in.PartNumberMarker))
	var numbers []int32
	for n := range s.parts {
		if int(n) > after {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	out := &s3.ListPartsOutput{}
	if len(numbers) > 1000 {
		numbers = numbers[:1000]
		out.IsTruncated = aws.Bool(true)
		out.NextPartNumberMarker = aws.String(strconv.Itoa(int(numbers[999])))
	}
	for _, n := range numbers {
		p := s.parts[n]
		etag := strconv.Quote(hex.EncodeToString(p.sum))
		out.Parts = append(out.Parts, types.Part{PartNumber: aws.Int32(n), Size: aws.Int64(p.size), ETag: &etag})
	}
	return out, nil
}
