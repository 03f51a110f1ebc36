//go:build unix

package filestore

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fileloft/fileloft/tus"
)

// Meta is the content of the file beside each finished file, named like it with ".meta.json" behind.
type Meta struct {
	Version int    `json:"version"`
	ID      tus.ID `json:"id"`
	Birth   string `json:"birth"` // tells this upload from others that had the same id
	Size    int64  `json:"size"`
	// Metadata is what the client sent, decoded; UploadMetadata is the header itself.
	Metadata       map[string]string `json:"metadata,omitempty"`
	UploadMetadata string            `json:"upload_metadata,omitempty"`
	CRC32C         string            `json:"crc32c,omitempty"` // hexadecimal
	SHA256         string            `json:"sha256,omitempty"`
	Created        time.Time         `json:"created,omitzero"`
	Completed      time.Time         `json:"completed,omitzero"`
}

func (s *Store) metaOf(u *tus.Upload) Meta {
	m := Meta{
		Version: 1, ID: u.ID, Birth: u.Birth, Size: u.Length, UploadMetadata: u.Metadata,
		Created: u.Created.UTC().Round(0), Completed: s.now().UTC().Round(0),
	}
	m.Metadata, _ = tus.ParseMetadata(u.Metadata) // the header is there in any case
	if len(u.Digest) > 0 {
		if sums, err := u.Sums(); err == nil {
			m.CRC32C = fmt.Sprintf("%08x", sums.CRC32C)
			m.SHA256 = hex.EncodeToString(sums.SHA256)
		}
	}
	return m
}

func stagedName(e tus.Epoch) string { return dataName(e, 0) + stagedSuffix }

// stageMeta writes the metadata into a piece, under a name of its own for every epoch, and returns its whole name.
func (s *Store) stageMeta(lease *tus.Lease, p home, w *witness) (string, error) {
	b, err := json.MarshalIndent(s.metaOf(&lease.Upload), "", "  ")
	if err != nil {
		return "", err
	}
	name := stagedName(lease.Epoch)
	f, err := s.make(p, name, unix.O_WRONLY)
	if errors.Is(err, fs.ErrExist) { // never into an old one: it may be published
		if _, err = p.dir.unlink(p.stem + name); err == nil {
			f, err = s.make(p, name, unix.O_WRONLY)
		}
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	s.step("meta:made")
	_, err = s.writeAt(f, append(b, '\n'), 0)
	if err == nil && s.sync {
		err = f.sync()
	}
	if err == nil {
		err = f.Close()
	}
	s.step("meta:written")
	if err == nil {
		err = s.check(p, w)
	}
	if err != nil {
		_, _ = p.dir.unlink(p.stem + name)
	}
	return p.stem + name, err
}

// An owner is whom a key belongs to.
type owner struct {
	id    tus.ID
	birth string
}

var nobody owner

func ownerOf(u *tus.Upload) owner { return owner{u.ID, u.Birth} }

// owner reads from the metadata whom the upload's key belongs to. Metadata that cannot be understood belong to
// somebody else.
func (s *Store) owner(p home) (owner, error) {
	f, err := s.tree.openKey(p.meta())
	if nowhere(err) {
		return nobody, nil
	}
	if err != nil {
		return nobody, err
	}
	defer f.Close()
	b, err := f.readAll()
	if err != nil {
		return nobody, err
	}
	return parseOwner(b), nil
}

// nowhere says that a key cannot have anything: its directory is missing, or a file.
func nowhere(err error) bool { return missing(err) || errors.Is(err, unix.ENOTDIR) }

func parseOwner(b []byte) owner {
	var m Meta
	if err := json.Unmarshal(b, &m); err != nil || m.ID == "" {
		return owner{id: "?"}
	}
	return owner{m.ID, m.Birth}
}
