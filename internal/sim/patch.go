package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"

	"github.com/fileloft/fileloft/tus"
)

// patch sends bytes from an offset on, perhaps to two replicas at once, and returns the offset to go on from, or -1.
func (c *client) patch(id tus.ID, off int64) int64 {
	f, rng := c.f, c.rng
	rest := f.data[off:]
	n := len(rest)
	if rng.IntN(3) > 0 {
		n = rng.IntN(len(rest) + 1)
	}
	final := int64(n)+off == int64(len(f.data))
	data := rest[:n]
	var wrong bool
	build := func() *request {
		sent := data
		if wrong {
			sent = append([]byte{data[0] ^ 1}, data[1:]...)
		}
		rq := c.request(http.MethodPatch, id, sent)
		rq.header.Set("Content-Type", "application/offset+octet-stream")
		rq.header.Set("Upload-Offset", strconv.FormatInt(off, 10))
		if f.deferred && (final || rng.IntN(4) == 0) {
			rq.header.Set("Upload-Length", strconv.Itoa(len(f.data)))
		}
		if wrong || rng.IntN(3) == 0 {
			sum := sha256.Sum256(data)
			rq.header.Set("Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sum[:]))
		}
		if rng.IntN(4) == 0 && n > 0 {
			rq.size = -1
		}
		return rq
	}
	_, calm := c.w.s.isCalm()
	wrong = !calm && n > 0 && rng.IntN(25) == 0
	rq := build()
	if !calm && !wrong && rng.IntN(8) == 0 && len(rq.body.pieces) > 1 { // it breaks off; what has arrived is right
		rq.body.pieces, rq.body.pauses = rq.body.pieces[:1], rq.body.pauses[:1]
		rq.body.end = io.ErrUnexpectedEOF
	}
	if !calm && rng.IntN(6) == 0 { // a proxy sends it twice
		twin := build()
		actor := c.actor
		before := c.told(id)
		c.w.clients.Go(func() {
			if r := c.w.send(actor, twin); r != nil {
				c.learn(id, before, r)
			}
		})
		c.actor++
	}
	before := c.told(id)
	r := c.w.send(c.actor, rq)
	if r == nil {
		return -1
	}
	return c.patched(id, before, rq, r, wrong)
}

// patched learns from an answer to a PATCH, which was wrong if its bytes do not match its checksum.
func (c *client) patched(id tus.ID, before int64, rq *request, r *reply, wrong bool) int64 {
	size := int64(len(c.f.data))
	got := c.learn(id, before, r)
	switch {
	case r.status == http.StatusNoContent && wrong:
		c.w.s.fail("upload %s: bytes with a wrong checksum were taken", id)
	case r.status == http.StatusNoContent && got == size && rq.header.Get("Upload-Length") != "":
		c.complete(id)
		return -1
	case r.status == http.StatusNoContent && got == size:
		return -1 // HEAD will tell whether it is complete
	case r.status == http.StatusNoContent, r.status == http.StatusConflict:
		return got
	case isGone(r):
		c.gone(id, r)
	}
	return -1
}
