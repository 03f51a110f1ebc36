package s3store

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's own checksum of parts and objects, not a secret's
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/fileloft/fileloft/tus"
)

// blind is an S3 that cannot say whether an object is there.
type blind struct{ *fake }

func (blind) HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return nil, fault("InternalError")
}

// A session that is gone may have been completed by another call. While nobody can tell, the upload is neither lost nor
// an error of its own kind.
func TestASessionThatVanishedIsUnavailableWhileTheObjectCannotBeSeen(t *testing.T) {
	s, f := onFake(Options{})
	p := newUpload(t, s, 3000)
	p.append(strings.Repeat("x", 3000))
	clear(f.sessions)
	s.s3 = blind{f}
	if err := p.complete(); !errors.Is(err, tus.ErrUnavailable) || errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("complete: %v", err)
	}
}

// The same for a part that is not listed.
func TestAPartThatIsNotListedIsNoLossWhileTheObjectCannotBeSeen(t *testing.T) {
	s, f := onFake(Options{})
	p := newUpload(t, s, 3000)
	p.append(strings.Repeat("x", 3000))
	for _, ses := range f.sessions {
		clear(ses.parts)
	}
	s.s3 = blind{f}
	if err := p.complete(); !errors.Is(err, tus.ErrUnavailable) || errors.Is(err, tus.ErrCorrupt) {
		t.Errorf("complete: %v", err)
	}
}

// hasty is an S3 that says yes to a CompleteMultipartUpload as soon as another is at work: the object shows after some more looks, or never.
type hasty struct {
	*fake
	looks *int // until the object shows
}

func (h hasty) CompleteMultipartUpload(_ context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	return affirm(in), nil
}

// affirm says that the object is there.
func affirm(in *s3.CompleteMultipartUploadInput) *s3.CompleteMultipartUploadOutput {
	sums := md5.New()
	for _, p := range in.MultipartUpload.Parts {
		sum, _ := hex.DecodeString(bare(*p.ETag))
		sums.Write(sum)
	}
	return &s3.CompleteMultipartUploadOutput{ETag: aws.String(fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(in.MultipartUpload.Parts)))}
}

func (h hasty) HeadObject(ctx context.Context, in *s3.HeadObjectInput, o ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	if *h.looks--; *h.looks == 0 {
		for id, ses := range h.sessions {
			req := &s3.CompleteMultipartUploadInput{Bucket: in.Bucket, Key: &ses.key, UploadId: aws.String(id), MultipartUpload: &types.CompletedMultipartUpload{}}
			for _, n := range slices.Sorted(maps.Keys(ses.parts)) {
				req.MultipartUpload.Parts = append(req.MultipartUpload.Parts, types.CompletedPart{PartNumber: aws.Int32(n), ETag: aws.String(hex.EncodeToString(ses.parts[n].sum))})
			}
			if _, err := h.fake.CompleteMultipartUpload(ctx, req); err != nil {
				return nil, err
			}
		}
	}
	return h.fake.HeadObject(ctx, in, o...)
}

// What a store says yes to while another call completes it is not complete before the object is there: that other call may fail.
func TestAnUploadIsNotCompleteBeforeItsObjectIsSeen(t *testing.T) {
	s, f := onFake(Options{})
	p := newUpload(t, s, 3000)
	p.append(strings.Repeat("x", 3000))
	looks := 1000
	s.s3 = hasty{f, &looks}
	if err := p.complete(); !errors.Is(err, tus.ErrUnavailable) || errors.Is(err, tus.ErrCorrupt) {
		t.Fatalf("complete, and no object: %v", err)
	}
	if 1000-looks < 3 {
		t.Errorf("the object was looked for %d times", 1000-looks)
	}
	looks = 2
	if err := p.complete(); err != nil {
		t.Fatalf("complete, and the object shows at the second look: %v", err)
	}
	if key, err := s.key(&p.lease.Upload); err != nil || f.objects[key] == nil {
		t.Errorf("complete, and there is no object: %v", err)
	}
}

// unsure is an S3 that cannot say the second time whether there is a sign of removal.
type unsure struct {
	*fake
	looks *int
}

func (u unsure) HeadObject(ctx context.Context, in *s3.HeadObjectInput, o ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	if strings.HasSuffix(*in.Key, "/"+signName) {
		if *u.looks++; *u.looks == 2 {
			return nil, fault("InternalError")
		}
	}
	return u.fake.HeadObject(ctx, in, o...)
}

// An object that was published without a session stays where nobody can tell whether the upload was removed meanwhile: another call may have
// called it complete already.
func TestAnObjectIsNotTakenBackBecauseTheSignCannotBeLookedFor(t *testing.T) {
	s, f := onFake(Options{})
	p := newUpload(t, s, 3)
	p.append("abc")
	looks := 0
	s.s3 = unsure{f, &looks}
	if err := p.complete(); !errors.Is(err, tus.ErrUnavailable) {
		t.Errorf("complete: %v", err)
	}
	key, err := s.key(&p.lease.Upload)
	if err != nil || f.objects[key] == nil {
		t.Fatalf("the object is gone: %v", err)
	}
	if err := p.complete(); err != nil {
		t.Errorf("complete, again: %v", err)
	}
}
