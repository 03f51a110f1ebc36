package s3store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

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
