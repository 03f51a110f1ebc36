package tablestate_test

import (
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// What a PATCH and a HEAD cost this process and Azurite together; a network is not in it.

func ordinary() tus.Upload {
	return tus.Upload{
		ID: tus.NewID(), Birth: "mark-of-birth", Length: 1 << 50, Metadata: "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==",
		Created: time.Now(), Expires: time.Now().Add(24 * time.Hour), Cursor: make(tus.Cursor, 300), Digest: make([]byte, 120),
	}
}

func BenchmarkAcquireCommit(b *testing.B) {
	st, _, _ := open(b, azurite(b), nil)
	u := ordinary()
	try(st.Create(b.Context(), u, claim(0, 0)))(b)
	b.ReportAllocs()
	for b.Loop() {
		l := try(st.Acquire(b.Context(), u.ID, claim(time.Hour, 2)))(b)
		next := l.Upload
		next.Offset++
		try(st.Commit(b.Context(), l, next, claim(0, 0)))(b)
	}
}

func BenchmarkLoad(b *testing.B) {
	st, _, _ := open(b, azurite(b), nil)
	u := ordinary()
	try(st.Create(b.Context(), u, claim(0, 0)))(b)
	b.ReportAllocs()
	for b.Loop() {
		try(st.Load(b.Context(), u.ID))(b)
	}
}
