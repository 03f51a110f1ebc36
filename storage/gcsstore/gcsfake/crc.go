package gcsfake

import "hash/crc32"

// combine returns the crc32c of a followed by b, from the crc32c of each and the length of b: the first is shifted by so many zero
// bytes, which is a multiplication by x^(8n) modulo the polynomial.
func combine(a, b uint32, n int64) uint32 {
	power, shift := uint32(1)<<23, uint32(1)<<31 // x^8, and x^0: the bits are in reverse
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			shift = multiply(power, shift)
		}
		power = multiply(power, power)
	}
	return multiply(shift, a) ^ b
}

// multiply multiplies two polynomials over GF(2) modulo Castagnoli's.
func multiply(a, b uint32) uint32 {
	p := uint32(0)
	for m := uint32(1) << 31; m != 0; m >>= 1 {
		if a&m != 0 {
			p ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.Castagnoli
		} else {
			b >>= 1
		}
	}
	return p
}
