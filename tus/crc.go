package tus

import "hash/crc32"

// combineCRC32C returns the crc32c of a followed by b, from the crc32c of each and the length of b in bytes.
// Appending n zero bytes to a message is a linear map of its crc over GF(2), and so are its squares; after Mark Adler's
// crc32_combine in zlib. It costs log2(n) steps.
func combineCRC32C(a, b uint32, n int64) uint32 {
	if n == 0 {
		return a
	}
	var odd, even matrix
	odd[0] = crc32.Castagnoli // one zero bit
	for i := 1; i < 32; i++ {
		odd[i] = 1 << (i - 1)
	}
	even.square(&odd) // two zero bits
	odd.square(&even) // four
	for {
		even.square(&odd) // one zero byte the first time, then four, ...
		if n&1 != 0 {
			a = even.times(a)
		}
		if n >>= 1; n == 0 {
			break
		}
		odd.square(&even)
		if n&1 != 0 {
			a = odd.times(a)
		}
		if n >>= 1; n == 0 {
			break
		}
	}
	return a ^ b
}

// A matrix is a 32 x 32 matrix over GF(2), by columns.
type matrix [32]uint32

func (m *matrix) times(v uint32) uint32 {
	var sum uint32
	for i := 0; v != 0; v, i = v>>1, i+1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *matrix) square(of *matrix) {
	for i := range m {
		m[i] = of.times(of[i])
	}
}
