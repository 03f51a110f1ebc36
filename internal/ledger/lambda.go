package ledger

import (
	"net/http"
	"time"
)

// Invoked counts an invocation of a Lambda function with a memory.
func (l *Ledger) Invoked(took time.Duration, memoryMB int) {
	l.enter(func(b *Bill) {
		b.Units[invoked.name]++
		b.Units[arm.name] += took.Seconds() * float64(memoryMB) / 1024
	})
}

// HTTPAPI meters what passes through a gateway as an HTTP API does, by the length of the bodies.
func (l *Ledger) HTTPAPI(gateway http.Handler) http.Handler {
	const metered = 512 << 10
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.enter(func(b *Bill) { b.Units[httpAPI.name] += float64((max(r.ContentLength, 1) + metered - 1) / metered) })
		gateway.ServeHTTP(w, r)
	})
}
