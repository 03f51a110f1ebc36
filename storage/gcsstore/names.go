package gcsstore

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	objectheaders "github.com/fileloft/fileloft/storage/headers"
	"github.com/fileloft/fileloft/tus"
)

// The metadata of an object that say whose it is.
const (
	metaID    = "fileloft-id"
	metaBirth = "fileloft-birth"
)

const octets = "application/octet-stream"

// A life is one upload: an id, and the birth mark that tells it from others that had the id before.
type life struct {
	id    tus.ID
	birth string
}

func lifeOf(u *tus.Upload) life { return life{u.ID, u.Birth} }

// Names of pieces, below the life's directory.
const (
	signName     = "gone"   // the upload was removed
	objectName   = "object" // a finished Partial upload
	pieceMark    = "p."     // bytes as they came
	composedMark = "c."     // pieces composed into one
)

func (s *Store) dir(l life) string { return s.pieces + string(l.id) + "/" + l.birth + "/" }

// key returns where the upload's object goes. A Partial upload's is a piece among others: nobody is to see it.
func (s *Store) key(u *tus.Upload) (string, error) {
	if u.Concat.Role == tus.Partial {
		return s.dir(lifeOf(u)) + objectName, nil
	}
	k := s.prefix + u.ObjectKey()
	if strings.HasPrefix(k, s.pieces) {
		return "", fmt.Errorf("the key %q lies among the pieces of unfinished uploads", k)
	}
	return k, nil
}

// newName returns a name that was never used: the epoch says whose it is, the rest tells it from those of other calls
// under the same epoch.
func (s *Store) newName(mark string, e tus.Epoch) string {
	return fmt.Sprintf("%s%d.%s", mark, e, s.word())
}

func randomWord() string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
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

// headers are what an object is published with.
type headers struct {
	contentType, disposition string
	meta                     map[string]string
}

func headersOf(u *tus.Upload) headers {
	t, d := objectheaders.Of(u)
	return headers{cmp.Or(t, octets), d, map[string]string{metaID: string(u.ID), metaBirth: u.Birth}}
}
