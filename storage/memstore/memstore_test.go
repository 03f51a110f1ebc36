package memstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

func config() storetest.Config {
	return storetest.Config{
		New:        func(testing.TB) tus.Storage { return memstore.New(&memstore.Options{PartSize: 1000}) },
		PartSize:   1000,
		MaxHeap:    -1, // it keeps bodies in memory, that is what it is for
		Violations: func(s tus.Storage) []string { return s.(*memstore.Store).Violations() },
		Pieces:     func(s tus.Storage, u tus.Upload) []string { return s.(*memstore.Store).Pieces(u.ID) },
	}
}

func TestStore(t *testing.T) { storetest.Run(t, config()) }

func ExampleNew() {
	s := memstore.New(nil) // or with parts of another size: &memstore.Options{PartSize: 64 << 10}
	lease := tus.Lease{Epoch: 1, Upload: tus.Upload{ID: "example", Birth: "1", Length: 5}, Slots: tus.Slots{First: 1, N: s.Slots(5)}}
	receipt, err := s.Append(context.Background(), lease, strings.NewReader("hello"))
	fmt.Println(receipt.N, err)
	// Output: 5 <nil>
}
