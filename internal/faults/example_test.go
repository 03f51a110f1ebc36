package faults_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/fileloft/fileloft/internal/faults"
)

// A server's answer to every request is lost.
func ExampleNew() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Printf("the server has %q\n", b)
	}))
	defer server.Close()
	p, err := faults.New(server.URL, faults.Options{Service: "s3", Seed: 1, Odds: map[faults.Kind]float64{faults.Lost: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	put := func() {
		req, _ := http.NewRequestWithContext(context.Background(), http.MethodPut, p.URL()+"/object", strings.NewReader("data"))
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		fmt.Println("the client has an error:", err != nil)
	}
	put()
	p.Calm()
	put()
	n, done := p.Counts()
	fmt.Println(n, done)
	// Output:
	// the server has "data"
	// the client has an error: true
	// the server has "data"
	// the client has an error: false
	// 2 map[lost:1]
}
