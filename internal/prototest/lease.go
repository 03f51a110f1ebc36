package prototest

import (
	"net/http"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// testTakeover has a holder whose client is silent. The other server takes over when the lease is over, and the
// silent one, when it wakes up, changes nothing.
func testTakeover(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{LeaseTTL: 600 * time.Millisecond, LockTimeout: patience, CheckpointEvery: time.Hour})
	need(t, s.Peer != nil && s.Caps.Streaming, "second server")
	peer := s.Peer(t)
	want := data(1 << 20)
	url := s.create(t, 1<<20)
	other := peer.URL + string(id(url))
	c := s.stall(t, url, want, 1<<19)
	peer.finish(t, other, want)
	_, _ = c.Write(want[1<<19:])
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
	if a, err := c.read("PATCH"); err == nil && a.Status < 400 {
		t.Errorf("%s: the one that was overtaken is told %d, as if its bytes had counted", a.what, a.Status)
	}
	_ = c.Close()
	peer.holds(t, other, want)
	s.holds(t, url, want)
}

// testSilent has a lease that nobody would wait out: a client that is silent for a while gives it back, and may go on
// when nobody else has.
func testSilent(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{LeaseTTL: time.Hour, LockTimeout: patience})
	need(t, s.Peer != nil && s.Caps.Streaming, "second server")
	peer := s.Peer(t)
	want := data(3000)
	url := s.create(t, 3000)
	c := s.stall(t, url, want, 1000)
	s.reaches(t, url, 1000) // what has arrived is committed
	c.send(t, string(want[1000:2000]))
	s.reaches(t, url, 2000)
	other := peer.URL + string(id(url))
	peer.patch(t, other, 2000, want[2000:]).want(t, 204)
	_, _ = c.Write(want[2000:])
	if a, err := c.read("PATCH"); err == nil && a.Status < 400 {
		t.Errorf("%s: %d for bytes that came from somebody else", a.what, a.Status)
	}
	peer.holds(t, other, want)
}

// testSilentChecked has a silent client whose bytes count as a whole or not at all, so that none can be committed in
// between. Its lease is not renewed.
func testSilentChecked(t *testing.T, x *suite) {
	s := x.with(t, tus.Options{LeaseTTL: 500 * time.Millisecond, LockTimeout: patience})
	need(t, s.Peer != nil && s.Caps.Streaming, "second server")
	peer := s.Peer(t)
	want := data(3000)
	url := s.create(t, 3000)
	c := s.dial(t)
	c.beginPatch(t, url, 0, 3000, "Upload-Checksum", checksum("md5", want))
	c.send(t, string(want[:1000]))
	time.Sleep(50 * time.Millisecond) // the first is likely to be the holder; right either way
	other := peer.URL + string(id(url))
	peer.patch(t, other, 0, want).want(t, 204)
	_, _ = c.Write(want[1000:])
	if a, err := c.read("PATCH"); err == nil && a.Status < 400 {
		t.Errorf("%s: %d for bytes that came from somebody else", a.what, a.Status)
	}
	peer.holds(t, other, want)
}

// testSlowKeeps has a client that is slow, for many times the length of a lease. Nobody takes its upload away: not with
// a checksum either, where nothing is committed in between.
func testSlowKeeps(t *testing.T, x *suite) {
	if testing.Short() {
		t.Skip("it is as slow as it says")
	}
	s := x.with(t, tus.Options{LeaseTTL: 900 * time.Millisecond, LockTimeout: time.Millisecond})
	need(t, s.Peer != nil && s.Caps.Streaming, "second server")
	peer := s.Peer(t)
	want := data(3000)
	for _, headers := range [][]string{nil, {"Upload-Checksum", checksum("md5", want)}} {
		url := s.create(t, 3000)
		c := s.dial(t)
		c.beginPatch(t, url, 0, 3000, append(headers, "Expect", "100-continue")...)
		if a, err := c.read("PATCH"); err != nil || a.Status != http.StatusContinue {
			t.Fatalf("%v, %v, want 100", a, err)
		}
		c.send(t, string(want[:1000]))
		finish := c.trickle(want[1000:])
		for range 20 {
			peer.patch(t, peer.URL+string(id(url)), 0, want).want(t, 423)
			time.Sleep(100 * time.Millisecond)
		}
		finish()
		c.answer(t, http.MethodPatch).want(t, 204).header(t, "Upload-Offset", "3000")
		s.holds(t, url, want)
	}
}
