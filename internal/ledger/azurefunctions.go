package ledger

import (
	"net/http"
	"time"
)

// AzureFunctions meters what passes to a function app on the plan Flex Consumption, of instances with some memory, as if each request
// had one for itself.
func (l *Ledger) AzureFunctions(app http.Handler, memoryGB float64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		l.enter(func(b *Bill) { b.executed(1, 0, memoryGB) })
		app.ServeHTTP(w, r)
		l.enter(func(b *Bill) { b.executed(0, time.Since(begin), memoryGB) }) // the client may have had its answer by now
	})
}
