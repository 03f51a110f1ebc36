package clients

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
)

// Bytes returns the source of n bytes: random, but the same each time, and different from place to place.
func Bytes(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{byte(n), byte(n >> 20)}), n)
}

var making sync.Mutex // of sources

// Source returns the path of a file in dir that holds what Bytes(n) yields. It is made when it is first asked for, so tests
// that ask for the same size share it, and must not change it.
func Source(dir string, n int64) (path string, err error) {
	making.Lock()
	defer making.Unlock()
	path = filepath.Join(dir, fmt.Sprintf("source-%d.bin", n))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	f, err := os.Create(path + ".part") // what has the right name is whole
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, Bytes(n))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("clients: make a source: %w", err)
	}
	return path, os.Rename(f.Name(), path)
}

// Digest reads r to its end and says its size and its SHA-256.
func Digest(r io.Reader) (string, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return "", fmt.Errorf("clients: read for a digest: %w", err)
	}
	return fmt.Sprintf("%d bytes, sha256 %x", n, h.Sum(nil)), nil
}
