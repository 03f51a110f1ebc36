package proof

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// A delivery is how a PATCH goes.
type delivery int

const (
	whole  delivery = iota
	cut             // the connection ends in the middle
	silent          // it falls silent in the middle
	double          // to two replicas, at the same time
	wrong           // with a checksum that does not match
)

// patch sends n bytes. An error that is not a finding is one to go on after.
func (u *upload) patch(ctx context.Context, r *rand.Rand, off, n int64, announce bool) error {
	rq := &request{method: http.MethodPatch, id: u.id, body: u.data[off : off+n], headers: []string{
		"Content-Type", octets, "Upload-Offset", strconv.FormatInt(off, 10),
	}}
	if announce {
		rq.headers = append(rq.headers, "Upload-Length", strconv.Itoa(len(u.data)))
	}
	how := whole
	switch v := r.IntN(100); {
	case v < 14:
		how = cut
	case v < 18:
		how = silent
	case v < 30:
		how = double
	case v < 34 && u.setup.checksums:
		how = wrong
	}
	u.tally.add("deliveries "+deliveries[how], 1)
	if u.setup.checksums && (how == wrong || r.IntN(4) == 0) {
		sum := sha1.Sum(rq.body)
		if how == wrong {
			sum[r.IntN(len(sum))]++
		}
		rq.headers = append(rq.headers, "Upload-Checksum", "sha1 "+base64.StdEncoding.EncodeToString(sum[:]))
	}
	switch how {
	case cut:
		rq.short, rq.end, rq.ending = true, r.Int64N(n+1), errors.New("cut off")
	case silent:
		rq.short, rq.end = true, r.Int64N(n+1)
	case double:
		other := *rq
		done := make(chan error)
		r2 := rand.New(rand.NewPCG(r.Uint64(), 2))
		go func() { done <- u.patched(ctx, r2, &other, how) }()
		err := u.patched(ctx, r, rq, how)
		return errors.Join(err, <-done)
	}
	return u.patched(ctx, r, rq, how)
}

var deliveries = map[delivery]string{whole: "whole", cut: "cut off", silent: "fallen silent", double: "to two replicas", wrong: "with a wrong checksum"}

// patched sends one PATCH and learns from its answer.
func (u *upload) patched(ctx context.Context, r *rand.Rand, rq *request, how delivery) error {
	before := u.offset()
	a, err := u.ask(ctx, r, rq)
	switch {
	case err != nil:
		return err
	case a.status == http.StatusNoContent && how == wrong:
		return found("corrupt", "%s: a wrong checksum was answered by %s", u.id, a)
	case a.status == http.StatusNoContent:
		return u.learn(a, before)
	case a.status == http.StatusConflict && a.header.Get("Upload-Offset") != "":
		if err := u.learn(a, before); err != nil {
			return err
		}
		return errors.New("conflict")
	case a.status == http.StatusConflict, a.status == 460, a.transient():
		return fmt.Errorf("%s", a)
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		return found("lost", "%s at %d: PATCH: %s", u.id, before, a)
	case how == cut || how == silent || u.setup.byTheBook && a.status == http.StatusBadRequest:
		return fmt.Errorf("%s", a) // whoever stands in between may have its own words for a body that ends
	}
	return found("refused", "%s: PATCH %q: %s", u.id, rq.headers, a)
}
