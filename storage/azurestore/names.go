package azurestore

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	objectheaders "github.com/fileloft/fileloft/storage/headers"
	"github.com/fileloft/fileloft/tus"
)

// The metadata of a blob that say whose it is. Azure wants names of metadata to be identifiers of C#.
const (
	metaID    = "fileloft_id"
	metaBirth = "fileloft_birth"
)

// A life is one upload: an id, and the birth mark that tells it from others that had the id before.
type life struct {
	id    tus.ID
	birth string
}

func lifeOf(u *tus.Upload) life { return life{u.ID, u.Birth} }

// Names of pieces, below the life's directory.
const (
	signName   = "gone"   // the upload was removed
	objectName = "object" // a finished Partial upload
	stageMark  = "s."     // blocks as they came
	joinMark   = "j."     // stages, or parts, joined
)

func (s *Store) dir(l life) string { return s.pieces + string(l.id) + "/" + l.birth + "/" }

func (s *Store) stageName(l life, n uint32) string {
	return fmt.Sprintf("%s%s%d", s.dir(l), stageMark, n)
}

// joinName returns a name that was never used: the epoch says whose it is, the rest tells it from those of other calls
// under the same epoch.
func (s *Store) joinName(lease *tus.Lease) string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("%s%s%d.%s", s.dir(lifeOf(&lease.Upload)), joinMark, lease.Epoch, base64.RawURLEncoding.EncodeToString(b))
}

// key returns where the upload's object goes. A Partial upload's is a piece among others: nobody is to see it.
func (s *Store) key(u *tus.Upload) (string, error) {
	if u.Concat.Role == tus.Partial {
		return s.dir(lifeOf(u)) + objectName, nil
	}
	k := s.prefix + u.ObjectKey()
	switch {
	case strings.HasPrefix(k, s.pieces):
		return "", fmt.Errorf("the key %q lies among the pieces of unfinished uploads", k)
	case len(k) > maxName || strings.HasSuffix(k, ".") || strings.HasSuffix(k, "/") || strings.Contains(k, `\`):
		return "", fmt.Errorf("the key %.80q is none that Azure keeps as it is", k)
	}
	return k, nil
}

// parsePiece takes a name below pieces apart.
func (s *Store) parsePiece(key string) (l life, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, s.pieces)
	if !ok {
		return l, "", false
	}
	f := strings.SplitN(rest, "/", 3)
	if len(f) != 3 || f[2] == "" {
		return l, "", false
	}
	return life{tus.ID(f[0]), f[1]}, f[2], true
}

// headersOf returns what an object is published with.
func headersOf(u *tus.Upload, md5 []byte) *blob.HTTPHeaders {
	t, d := objectheaders.Of(u)
	return &blob.HTTPHeaders{BlobContentType: optional(t), BlobContentDisposition: optional(d), BlobContentMD5: md5}
}

func metadataOf(u *tus.Upload) map[string]*string {
	id := string(u.ID)
	return map[string]*string{metaID: &id, metaBirth: &u.Birth}
}

// owns says whether metadata are an upload's. HTTP does not keep the case of their names.
func owns(u *tus.Upload, meta map[string]*string) bool {
	right := 0
	for name, v := range meta {
		if v != nil && (strings.EqualFold(name, metaID) && *v == string(u.ID) || strings.EqualFold(name, metaBirth) && *v == u.Birth) {
			right++
		}
	}
	return right == 2
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
