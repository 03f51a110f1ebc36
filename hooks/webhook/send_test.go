package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// A script is a receiver that answers by a list, and again by its last entry.
type script struct {
	answers []answer
	seen    []sent
}

type answer struct {
	status int // 0: no answer but an error
	header http.Header
	body   string
	takes  time.Duration
}

type sent struct {
	at     time.Time
	header http.Header
	body   string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a := s.answers[min(len(s.seen), len(s.answers)-1)]
	s.seen = append(s.seen, sent{time.Now(), r.Header, string(body)})
	select {
	case <-time.After(a.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if a.status == 0 {
		return nil, errors.New("connection refused")
	}
	h := a.header
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// pauses are the times between one attempt and the next.
func (s *script) pauses() []time.Duration {
	var list []time.Duration
	for i := 1; i < len(s.seen); i++ {
		list = append(list, s.seen[i].at.Sub(s.seen[i-1].at))
	}
	return list
}

func newTest(t *testing.T, o Options, answers ...answer) (tus.Hooks, *script) {
	t.Helper()
	s := &script{answers: answers}
	o.Transport = s
	o.Hooks = []string{"created", "progress", "finished", "terminated", "access", "pre-create", "pre-finish", "pre-terminate"}
	h, err := New("https://hooks.example.com/in?key=geheim", &o)
	if err != nil {
		t.Fatal(err)
	}
	return h, s
}

var finished = tus.Event{ID: "up.birth.finished", Kind: tus.Finished, Upload: tus.Upload{ID: "up", Phase: tus.Done}}

func TestAttempts(t *testing.T) {
	after := func(text string) http.Header { return http.Header{"Retry-After": {text}} }
	for _, tt := range []struct {
		name    string
		answers []answer
		sent    int
		ok      bool
	}{
		{"at the first go", []answer{{status: 200}}, 1, true},
		{"204", []answer{{status: 204}}, 1, true},
		{"once refused", []answer{{}, {status: 200}}, 2, true},
		{"503 and 429", []answer{{status: 503}, {status: 429}, {status: 202}}, 3, true},
		{"408", []answer{{status: 408}, {status: 200}}, 2, true},
		{"never", []answer{{status: 500}}, 3, false},
		{"404 is not tried again", []answer{{status: 404}}, 1, false},
		{"nor is 410", []answer{{status: 410}}, 1, false},
		{"redirects are not followed", []answer{{status: 307, header: http.Header{"Location": {"https://elsewhere.example.com/"}}}}, 1, false},
		{"a wait that is too long is left to others", []answer{{status: 503, header: after("3600")}, {status: 200}}, 1, false},
		{"an answer without end", []answer{{status: 200, body: strings.Repeat("x", maxReply+1)}}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newTest(t, Options{}, tt.answers...)
				err := h.Event(t.Context(), finished)
				if (err == nil) != tt.ok || len(s.seen) != tt.sent {
					t.Errorf("%d attempts, %v", len(s.seen), err)
				}
				if err != nil && strings.Contains(err.Error(), "geheim") {
					t.Errorf("the error has the address in it: %v", err)
				}
			})
		})
	}
}

func TestPausesDoubleAndRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat)
		h, s := newTest(
			t, Options{Attempts: 6, Timeout: time.Minute},
			answer{}, answer{}, answer{}, answer{status: 429, header: http.Header{"Retry-After": {"2"}}},
			answer{status: 503, header: http.Header{"Retry-After": {date}}}, answer{status: 200},
		)
		if err := h.Event(t.Context(), finished); err != nil {
			t.Fatal(err)
		}
		p := s.pauses()
		for i, most := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond} {
			if p[i] < most/2 || p[i] > most {
				t.Errorf("pause %d is %v, want %v to %v", i, p[i], most/2, most)
			}
		}
		if p[3] != 2*time.Second {
			t.Errorf("Retry-After: 2 was followed by %v", p[3])
		}
		if p[4] < firstPause<<4/2 {
			t.Errorf("a date that is over leaves the backoff, not %v", p[4])
		}
	})
}

func TestEveryAttemptHasTheSameIDAndBodyAndASignatureOfItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newTest(t, Options{Secrets: []string{secretA, secretB}}, answer{status: 429, header: http.Header{"Retry-After": {"3"}}}, answer{status: 200})
		if err := h.Event(t.Context(), finished); err != nil {
			t.Fatal(err)
		}
		a, b := s.seen[0], s.seen[1]
		if a.body != b.body || a.header.Get("webhook-id") != "up:birth:finished" || b.header.Get("webhook-id") != "up:birth:finished" {
			t.Errorf("%v\n%v", a, b)
		}
		if a.header.Get("webhook-timestamp") == b.header.Get("webhook-timestamp") {
			t.Error("the second attempt has the time of the first")
		}
		for _, m := range s.seen {
			for _, secret := range []string{secretA, secretB} {
				if err := Verify(m.header, []byte(m.body), 0, secret); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func TestWithoutSecretsNothingIsSigned(t *testing.T) {
	h, s := newTest(t, Options{}, answer{status: 200})
	if err := h.Event(t.Context(), finished); err != nil || s.seen[0].header.Get("webhook-signature") != "" {
		t.Errorf("%v %v", err, s.seen)
	}
}

func TestEventsWaitOneAttemptsTimeAndQuestionsThatOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newTest(t, Options{Timeout: 4 * time.Second}, answer{status: 200, takes: time.Hour})
		start := time.Now()
		if err := h.Event(t.Context(), finished); err == nil || time.Since(start) > 4*time.Second || len(s.seen) != 1 {
			t.Errorf("%v after %v and %d attempts", err, time.Since(start), len(s.seen))
		}
		start = time.Now()
		err := h.PreFinish(t.Context(), finished.Upload)
		if took := time.Since(start); err == nil || took < 12*time.Second || took > 13*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if !errors.Is(err, tus.ErrUnavailable) || errors.As(err, new(*tus.Rejection)) {
			t.Errorf("a receiver that hangs is not a no: %v", err)
		}
	})
}

func TestTheContextEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newTest(t, Options{Attempts: 10, Timeout: time.Minute}, answer{takes: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := h.PreTerminate(ctx, finished.Upload); err == nil || time.Since(start) > 2500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if len(s.seen) < 2 {
			t.Errorf("%d attempts", len(s.seen))
		}
		n := len(s.seen)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.PreTerminate(gone, finished.Upload); err == nil || len(s.seen) > n+1 {
			t.Errorf("%v, %d attempts for a client that is gone", err, len(s.seen)-n)
		}
		// The platform's end is closer than the pause that the receiver asks for.
		h, s = newTest(t, Options{}, answer{status: 503, header: http.Header{"Retry-After": {"4"}}}, answer{status: 200})
		short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start = time.Now()
		if err := h.PreTerminate(short, finished.Upload); err == nil || time.Since(start) != 0 || len(s.seen) != 1 {
			t.Errorf("%v after %v, %d attempts", err, time.Since(start), len(s.seen))
		}
	})
}

// A client would rather be told to come back than be kept for an hour.
func TestAQuestionDoesNotWaitLongerThanTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newTest(t, Options{}, answer{status: 503, header: http.Header{"Retry-After": {"3600"}}}, answer{status: 200})
		start := time.Now()
		if err := h.PreFinish(t.Context(), finished.Upload); !errors.Is(err, tus.ErrUnavailable) || time.Since(start) != 0 || len(s.seen) != 1 {
			t.Errorf("%v after %v and %d attempts", err, time.Since(start), len(s.seen))
		}
	})
}

func TestHeadersOfOnesOwnGoAlong(t *testing.T) {
	h, s := newTest(t, Options{Header: http.Header{"aeg-sas-key": {"k"}, "user-agent": {"us"}}}, answer{status: 200})
	if err := h.Event(t.Context(), finished); err != nil {
		t.Fatal(err)
	}
	got := s.seen[0].header
	if got.Get("Aeg-Sas-Key") != "k" || got.Get("User-Agent") != "us" || got.Get("Content-Type") != contentType {
		t.Errorf("%v", got)
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for _, tt := range []struct {
		address string
		o       Options
	}{
		{"", Options{}},
		{"hooks.example.com", Options{}},
		{"ftp://hooks.example.com", Options{}},
		{"http://", Options{}},
		{"http://:80/", Options{}},
		{"http://user:geheim@hooks.example.com/", Options{}},
		{"http://a b/?geheim", Options{}},
		{"http://h/", Options{Hooks: []string{"finish"}}},
		{"http://h/", Options{Hooks: []string{""}}},
		{"http://h/", Options{Source: ":"}},
		{"http://h/", Options{Timeout: -1}},
		{"http://h/", Options{Attempts: -1}},
		{"http://h/", Options{MaxMetadata: -1}},
		{"http://h/", Options{Header: http.Header{"webhook-id": {"x"}}}},
		{"http://h/", Options{Header: http.Header{"Content-Type": {"x"}}}},
		{"http://h/", Options{Header: http.Header{"X Y": {"x"}}}},
		{"http://h/", Options{Header: http.Header{"X": {"geheim\r\nY: z"}}}},
		{"http://h/", Options{Forward: []string{"Authorization "}}},
	} {
		if _, err := New(tt.address, &tt.o); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s %+v: %v", tt.address, tt.o, err)
		}
	}
}

func TestOnlyTheHooksThatAreWantedAreThere(t *testing.T) {
	for _, tt := range []struct {
		hooks  []string
		events tus.Events
		ask    []bool // access, pre-create, pre-finish, pre-terminate
	}{
		{nil, tus.Created | tus.Finished | tus.Terminated, []bool{false, false, false, false}},
		{[]string{"finished"}, tus.Finished, []bool{false, false, false, false}},
		{[]string{"progress", "pre-finish"}, tus.Progress, []bool{false, false, true, false}},
		{[]string{"access", "pre-create", "pre-terminate"}, 0, []bool{true, true, false, true}},
	} {
		h, err := New("http://127.0.0.1/", &Options{Hooks: tt.hooks})
		ask := []bool{h.Access != nil, h.PreCreate != nil, h.PreFinish != nil, h.PreTerminate != nil}
		if err != nil || h.Events != tt.events || (h.Event != nil) != (tt.events != 0) || !slices.Equal(ask, tt.ask) {
			t.Errorf("%v: %v %v %v", tt.hooks, h.Events, ask, err)
		}
	}
}

// With the transport that New makes: no proxy, whatever the environment says, and only certificates that can be verified.
func TestTheTransport(t *testing.T) {
	tr, ok := newTransport().(*http.Transport)
	if !ok || tr.Proxy != nil || tr.TLSClientConfig.InsecureSkipVerify {
		t.Errorf("%+v", tr)
	}
}
