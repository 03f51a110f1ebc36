package dynamostate_test

import (
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/dynamostate"
)

// What a PATCH and a HEAD cost this process and the local server together; a network is not in it.

func BenchmarkAcquireCommit(b *testing.B) {
	st, _, _ := open(b, nil)
	u := dynamostate.Ordinary()
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
	st, _, _ := open(b, nil)
	u := dynamostate.Ordinary()
	try(st.Create(b.Context(), u, claim(0, 0)))(b)
	b.ReportAllocs()
	for b.Loop() {
		try(st.Load(b.Context(), u.ID))(b)
	}
}
