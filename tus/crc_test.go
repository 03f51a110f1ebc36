package tus

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestCombinedCRCEqualsTheCRCOfTheWhole(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 31, 32, 33, 255, 4096, 65537, 1 << 20} {
		for _, m := range []int{0, 1, 7, 1000, 70001} {
			b := make([]byte, n+m)
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			sum := func(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
			if got, want := combineCRC32C(sum(b[:m]), sum(b[m:]), int64(n)), sum(b); got != want {
				t.Errorf("combine of %d and %d bytes = %08x, want %08x", m, n, got, want)
			}
		}
	}
}
