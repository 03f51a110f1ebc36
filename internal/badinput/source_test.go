package badinput

import (
	"io"

	"github.com/fileloft/fileloft/internal/clients"
)

// random returns n bytes, the same each time.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(clients.Bytes(int64(n)), b)
	return b
}
