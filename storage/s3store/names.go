package s3store

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	objectheaders "github.com/fileloft/fileloft/storage/headers"
	"github.com/fileloft/fileloft/tus"
)

// The metadata of an object that say whose it is.
const (
	metaID    = "fileloft-id"
	metaBirth = "fileloft-birth"
)

// A life is one upload: an id, and the birth mark that tells it from others that had the id before.
type life struct {
	id    tus.ID
	birth string
}

func lifeOf(u *tus.Upload) life { return life{u.ID, u.Birth} }

func (l life) compare(o life) int {
	return cmp.Or(cmp.Compare(l.id, o.id), cmp.Compare(l.birth, o.birth))
}

// Names of pieces, below the life's directory.
const (
	signName   = "gone"   // the upload was removed; the body is the key that its object had
	objectName = "object" // a finished Partial upload
	notePrefix = "s."     // a session of this life: the rest is its id, the body its key
	tailPrefix = "t."     // bytes short of a part
	maxNoteKey = 1024     // S3 keys are no longer
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

// fresh returns a name for a tail that was never used: the epoch says whose it is, the rest tells it from those
// of other calls under the same epoch.
func fresh(e tus.Epoch) string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("%d.%s", e, base64.RawURLEncoding.EncodeToString(b))
}

// noteName returns the name of a session's note. Session ids are opaque, so they are escaped.
func noteName(session string) string { return notePrefix + url.QueryEscape(session) }

func sessionOf(name string) (string, bool) {
	esc, ok := strings.CutPrefix(name, notePrefix)
	if !ok {
		return "", false
	}
	id, err := url.QueryUnescape(esc)
	return id, err == nil
}

// parsePiece takes a key below pieces apart.
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
	contentType, disposition *string
	meta                     map[string]string
}

func (s *Store) headers(u *tus.Upload) headers {
	t, d := objectheaders.Of(u)
	return headers{optional(t), optional(d), map[string]string{metaID: string(u.ID), metaBirth: u.Birth}}
}
