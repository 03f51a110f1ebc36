package servers

import "testing"

const fakegcs = "bin/fakegcs"

// GCS starts fake-gcs-server, empty and in memory, and returns its URL. It is good for a client's first steps only: it ignores
// preconditions on compose and delete.
func GCS(t testing.TB) string {
	t.Helper()
	return "http://" + forTest(t, fakegcs, func(host, port string) []string {
		addr := host + ":" + port
		return []string{
			"-scheme", "http", "-host", host, "-port", port, "-backend", "memory", "-log-level", "error",
			"-public-host", addr, "-external-url", "http://" + addr,
		}
	}).Addr
}
