package prototest

import (
	"fmt"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// terminationRows are T1.
var terminationRows = []row{
	{"T1 DELETE", testT1, false},
	{"T1 DELETE while bytes arrive", testT1Busy, false},
	{"T1 DELETE of uploads in a concatenation", testT1Concat, false},
	{"T1 switched off", testT1Off, false},
}

func testT1(t *testing.T, x *suite) {
	s := x.std()
	want := data(1000)
	urls := map[string]string{
		"new": s.create(t, 1000), "deferred": s.create(t, -1), "begun": s.create(t, 1000), "finished": s.upload(t, want),
		"empty": s.create(t, 0), "partial": s.upload(t, want, "Upload-Concat", "partial"),
	}
	s.patch(t, urls["begun"], 0, want[:400]).want(t, 204)
	for name, url := range urls {
		a := s.do(t, "DELETE", url, nil)
		if a.Status != 204 || len(a.Body) > 0 {
			t.Errorf("DELETE of a %s upload: %d %q", name, a.Status, a.Body)
		}
		s.gone(t, url)
		s.patch(t, url, 0, "x").want(t, 404, 410)
		s.do(t, "GET", url, nil).want(t, 404, 410)
		s.do(t, "DELETE", url, nil).want(t, 404)
	}
}

func testT1Busy(t *testing.T, x *suite) {
	s := x.std()
	need(t, s.Caps.Streaming, "bodies that arrive in part")
	need(t, s.Caps.takes(64<<20), "bodies of 64 MiB")
	for _, viaPeer := range []bool{false, true} {
		t.Run(fmt.Sprintf("peer=%v", viaPeer), func(t *testing.T) {
			other := s
			if viaPeer {
				need(t, s.Peer != nil, "second server")
				other = s.Peer(t)
			}
			url := s.create(t, 64<<20)
			c := s.dial(t)
			c.beginPatch(t, url, 0, 64<<20)
			c.send(t, string(data(16<<20)))
			other.do(t, "DELETE", other.URL+string(id(url)), nil).want(t, 204)
			s.do(t, "HEAD", url, nil).want(t, 404, 410)
			if !viaPeer {
				c.ends(t) // nobody waits for the rest of what is not wanted
			}
			_ = c.Close()
			// The writer may have stored a last piece while the upload was removed: it takes it away when it notices.
			eventually(t, "nothing left", func() error {
				s.do(t, "HEAD", url, nil).want(t, 404, 410)
				if s.Leftovers == nil {
					return nil
				}
				if left, err := s.Leftovers(id(url)); err != nil || len(left) > 0 {
					return fmt.Errorf("left: %v, %v", left, err)
				}
				return nil
			})
		})
	}
}

func testT1Concat(t *testing.T, x *suite) {
	s := x.std()
	want := data(1000)
	a, b := s.upload(t, want[:400], "Upload-Concat", "partial"), s.upload(t, want[400:], "Upload-Concat", "partial")
	final := s.location(t, s.post(t, nil, "Upload-Concat", "final;"+a+" "+b).want(t, 201))
	s.do(t, "DELETE", a, nil).want(t, 204)
	s.gone(t, a)
	s.holds(t, final, want)
	s.do(t, "DELETE", final, nil).want(t, 204)
	s.gone(t, final)
	s.head(t, b)
}

func testT1Off(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{DisableTermination: true})
	url := s.upload(t, data(5))
	s.do(t, "DELETE", url, nil).want(t, 404, 405)
	s.holds(t, url, data(5))
	if extensions(s.do(t, "OPTIONS", s.URL, nil))["termination"] {
		t.Error("termination is advertised and switched off")
	}
}
