package statetest

import (
	"context"
	"strings"
	"time"

	"github.com/fileloft/fileloft/tus"
)

func checkFields(b *bench) {
	now := b.clock.now()
	every := tus.Upload{
		ID:  tus.ID(strings.Repeat("x", 104)) + tus.NewID(), // 128 in all
		Key: "a dir/nä\u2028me \xff\x00", Birth: tus.NewNonce(),
		Length: 1<<63 - 1, Offset: 1 << 62, Phase: tus.Sealed,
		Metadata: strings.Repeat("k \x01\xfe\"\\<&>,", 800), // 8 KiB
		Concat:   tus.Concat{Role: tus.Final, Parts: []tus.ID{"p", "q", "p"}, Header: "final;/p /q \xff"},
		Created:  now, Expires: now.Add(time.Hour),
		Cursor: make(tus.Cursor, tus.MaxCursor), NextSlot: 1<<32 - 10, Digest: []byte(strings.Repeat("\xf0\x00", 60)),
		Pending: 0xff,
	}
	for i := range every.Cursor {
		every.Cursor[i] = byte(i * 7)
	}
	l := b.create(every, claim(0, 0))
	b.same("what Create returned", every, l.Upload)
	b.same("what Create stored", every, b.load(every.ID))

	bare := upload()
	bare.Length = tus.Unknown
	b.create(bare, claim(0, 0))
	l = b.acquire(bare.ID, claim(ttl, 1<<32-1))
	next := every
	next.ID, next.Birth, next.NextSlot = bare.ID, bare.Birth, 1<<32-1
	b.same("what Commit returned", next, b.commit(l, next, claim(0, 0)).Upload)
	b.same("what Commit stored", next, b.load(bare.ID))
}

func checkMistakes(b *bench) {
	u := upload()
	u.Offset = 5
	l := b.create(u, claim(ttl, 2))
	b.unchanged("a refused call", u.ID, func() {
		for what, change := range map[string]func(u *tus.Upload, c *tus.Claim){
			"no nonce":                   func(_ *tus.Upload, c *tus.Claim) { c.Nonce = "" },
			"the lease's nonce again":    func(_ *tus.Upload, c *tus.Claim) { c.Nonce = l.Nonce },
			"another birth":              func(u *tus.Upload, _ *tus.Claim) { u.Birth += "x" },
			"an offset that goes back":   func(u *tus.Upload, _ *tus.Claim) { u.Offset-- },
			"more slots than granted":    func(u *tus.Upload, _ *tus.Claim) { u.NextSlot = 3 },
			"an offset above the length": func(u *tus.Upload, _ *tus.Claim) { u.Offset = 1001 },
			"a cursor above the limit":   func(u *tus.Upload, _ *tus.Claim) { u.Cursor = make(tus.Cursor, tus.MaxCursor+1) },
			"a negative TTL":             func(_ *tus.Upload, c *tus.Claim) { c.TTL = -1 },
		} {
			next, c := l.Upload, claim(ttl, 0)
			change(&next, &c)
			if _, err := b.st.Commit(b.ctx, l, next, c); err == nil {
				b.fail("a Commit with %s succeeded", what)
			}
		}
		if _, err := b.st.Acquire(b.ctx, u.ID, tus.Claim{TTL: ttl, Steal: true, Offset: tus.AnyOffset}); err == nil {
			b.fail("an Acquire without a nonce succeeded")
		}
	})
	next := l.Upload
	next.Phase = tus.Done
	l = b.commit(l, next, claim(ttl, 0))
	next.Phase = tus.Sealed
	if _, err := b.st.Commit(b.ctx, l, next, claim(0, 0)); err == nil {
		b.fail("a phase went back")
	}
	bad := upload()
	bad.ID = "../up"
	if _, err := b.st.Create(b.ctx, bad, claim(0, 0)); err == nil {
		b.fail("an ID with a path in it was created")
	}
}

func checkCancelled(b *bench) {
	u := upload()
	l := b.create(u, claim(ttl, 0))
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.unchanged("a call under a cancelled context", u.ID, func() {
		_, err := b.st.Load(ctx, u.ID)
		_, err2 := b.st.Acquire(ctx, u.ID, tus.Claim{TTL: ttl, Steal: true, Offset: tus.AnyOffset, Nonce: tus.NewNonce()})
		next := l.Upload
		next.Offset++
		_, err3 := b.st.Commit(ctx, l, next, claim(0, 0))
		for _, err := range []error{err, err2, err3, b.st.Delete(ctx, l)} {
			b.is("under a cancelled context", err, context.Canceled)
		}
	})
}
