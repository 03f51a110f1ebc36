//go:build unix

package filestore

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

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

// stageMeta writes the metadata into the upload's directory, under a name of its own for every epoch.
func (s *Store) stageMeta(lease *tus.Lease, p paths) (string, error) {
	b, err := json.MarshalIndent(s.metaOf(&lease.Upload), "", "  ")
	if err != nil {
		return "", err
	}
	name := path.Join(p.dir, dataName(lease.Epoch, 0)+".meta")
	const flag = os.O_WRONLY | os.O_CREATE | os.O_EXCL // never into an old one: it may be published
	f, err := s.root.OpenFile(name, flag, fileMode)
	if errors.Is(err, fs.ErrExist) {
		if err = s.unlink(name); err == nil {
			f, err = s.root.OpenFile(name, flag, fileMode)
		}
	}
	if err != nil {
		return "", gone(err)
	}
	_, err = s.writeAt(f, append(b, '\n'), 0)
	if err == nil && s.sync {
		err = f.Sync()
	}
	return name, errors.Join(err, f.Close())
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
func (s *Store) owner(p paths) (owner, error) {
	b, err := s.root.ReadFile(p.meta)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nobody, nil
	}
	if err != nil {
		return nobody, err
	}
	return parseOwner(b), nil
}

func parseOwner(b []byte) owner {
	var m Meta
	if err := json.Unmarshal(b, &m); err != nil || m.ID == "" {
		return owner{id: "?"}
	}
	return owner{m.ID, m.Birth}
}
