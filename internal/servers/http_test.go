package servers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAServerThatClosesLeavesOtherConnectionsAlone(t *testing.T) {
	conns := make(chan string, 2)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { conns <- r.RemoteAddr }))
	defer s.Close()
	client := NewClient(0)
	for range 2 {
		resp, err := client.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		httptest.NewServer(nil).Close()
	}
	if a, b := <-conns, <-conns; a != b {
		t.Errorf("the second request needed a connection of its own: %s after %s", b, a)
	}
}
