package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/fileloft/fileloft/hooks/webhook"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

var allHooks = []string{"created", "progress", "finished", "terminated", "access", "pre-create", "pre-finish", "pre-terminate"}

// A receiver checks every message with CloudEvents' own library and with Verify, and answers what reply says, or 204.
type receiver struct {
	t     *testing.T
	url   string
	reply func(w http.ResponseWriter, m webhook.Message) // nil: 204

	mu   sync.Mutex
	down bool
	got  []webhook.Message
}

func receive(t *testing.T, reply func(w http.ResponseWriter, m webhook.Message)) *receiver {
	r := &receiver{t: t, reply: reply}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	if err := webhook.Verify(req.Header, body, 0, secret); err != nil {
		r.t.Error(err)
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	event, err := cloudevents.NewEventFromHTTPRequest(req)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := event.Validate(); err != nil {
		r.t.Error(err)
	}
	m := webhook.Message{
		SpecVersion: event.SpecVersion(), ID: event.ID(), Source: event.Source(), Type: event.Type(), Subject: event.Subject(),
		Time: event.Time(), DataContentType: event.DataContentType(),
	}
	if err := event.DataAs(&m.Data); err != nil {
		r.t.Error(err)
	}
	if want := strings.ReplaceAll(m.ID, ".", ":"); req.Header.Get("webhook-id") != want {
		r.t.Errorf("webhook-id is %q, want %q", req.Header.Get("webhook-id"), want)
	}
	r.mu.Lock()
	r.got = append(r.got, m)
	down := r.down
	r.mu.Unlock()
	switch {
	case down:
		http.Error(w, "out of order: secret-detail", http.StatusServiceUnavailable)
	case r.reply != nil:
		r.reply(w, m)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (r *receiver) set(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// of returns the messages of one hook.
func (r *receiver) of(hook string) []webhook.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []webhook.Message
	for _, m := range r.got {
		if m.Type == webhook.TypePrefix+hook {
			list = append(list, m)
		}
	}
	return list
}

// A clock can be put forward.
type clock struct{ ahead time.Duration }

func (c *clock) now() time.Time { return time.Now().Add(c.ahead) }

// serve starts a server whose hooks go to r, and returns the URL of its uploads.
func serve(t *testing.T, r *receiver, o webhook.Options, c *clock) (*tus.Handler, string) {
	t.Helper()
	o.Secrets = []string{secret}
	h, err := webhook.New(r.url, &o)
	if err != nil {
		t.Fatal(err)
	}
	storage := memstore.New(nil)
	uploads, err := tus.NewHandler(memstate.New(nil), storage, &tus.Options{
		Hooks: h, Now: c.now, EnableDownload: true, EnableConcatenation: true, CleanupPartials: true, SHA256: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(uploads)
	t.Cleanup(srv.Close)
	return uploads, srv.URL + "/files/"
}

func request(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	if body != "" {
		req.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func idOf(location string) string { return location[strings.LastIndex(location, "/")+1:] }

func TestAnUploadIsToldAndAskedFromItsBeginningToItsEnd(t *testing.T) {
	r := receive(t, nil)
	_, url := serve(t, r, webhook.Options{Hooks: allHooks, Forward: []string{"authorization"}, Source: "https://uploads.example.com/"}, &clock{})
	auth := []string{"Authorization", "Bearer token", "X-Other", "not shown"}
	post, _ := request(t, "POST", url, "", append(auth, "Upload-Length", "10", "Upload-Metadata", "filename YS50eHQ=,bytes /w==")...)
	at := post.Header.Get("Location")
	id := idOf(at)
	request(t, "PATCH", at, "hello", append(auth, "Upload-Offset", "0")...)
	request(t, "HEAD", at, "", auth...)
	request(t, "PATCH", at, "world", append(auth, "Upload-Offset", "5")...)
	if resp, body := request(t, "GET", at, "", auth...); resp.StatusCode != 200 || body != "helloworld" {
		t.Errorf("%s %q", resp.Status, body)
	}
	if resp, body := request(t, "DELETE", at, "", auth...); resp.StatusCode != 204 {
		t.Errorf("%s %q", resp.Status, body)
	}
	var order, actions []string
	ids := map[string]bool{}
	for _, m := range r.got {
		hook := strings.TrimPrefix(m.Type, webhook.TypePrefix)
		order = append(order, hook)
		if hook == "access" {
			actions = append(actions, m.Data.Action)
		}
		if m.Source != "https://uploads.example.com/" || m.SpecVersion != "1.0" || m.DataContentType != "application/json" ||
			time.Since(m.Time).Abs() > time.Minute || ids[m.ID] {
			t.Errorf("%+v", m)
		}
		ids[m.ID] = true
		if m.Data.Action != "create" && m.Subject != id {
			t.Errorf("%s has the subject %q", hook, m.Subject)
		}
		want := 0
		if hook == "access" || hook == "pre-create" {
			want = 1
		}
		if len(m.Data.Headers) != want || want == 1 && m.Data.Headers.Get("Authorization") != "Bearer token" {
			t.Errorf("%s shows the headers %v", hook, m.Data.Headers)
		}
	}
	want := []string{
		"access", "pre-create", "created", "access", "progress", "access", "access", "pre-finish", "finished", "access",
		"access", "pre-terminate", "terminated",
	}
	if !slices.Equal(slices.DeleteFunc(order, func(s string) bool { return s == "progress" }),
		slices.DeleteFunc(want, func(s string) bool { return s == "progress" })) {
		t.Errorf("%q", order)
	}
	if want := []string{"create", "append", "head", "append", "download", "terminate"}; !slices.Equal(actions, want) {
		t.Errorf("%q", actions)
	}
	if p := r.of("progress"); len(p) == 0 || p[0].Data.Upload.Offset != 5 {
		t.Errorf("%+v", p)
	}
	created, finished := r.of("created")[0].Data.Upload, r.of("finished")[0].Data.Upload
	if created.Phase != "open" || *created.Length != 10 || created.Metadata["filename"] != "a.txt" || created.CRC32C != "" ||
		created.UploadMetadata != "filename YS50eHQ=,bytes /w==" || created.Key != id || created.Created.IsZero() {
		t.Errorf("%+v", created)
	}
	if _, ok := created.Metadata["bytes"]; ok {
		t.Error("a value that is not UTF-8 cannot be in JSON as it is")
	}
	if finished.Phase != "done" || finished.Offset != 10 || finished.CRC32C != "56cbb480" ||
		finished.SHA256 != "936a185caaa266bb9cbe981e9e05cb78cd732b0b3280eb944412bb6f8f8f07af" {
		t.Errorf("%+v", finished)
	}
}

func TestConcatenationIsDescribed(t *testing.T) {
	r := receive(t, nil)
	_, url := serve(t, r, webhook.Options{Hooks: allHooks}, &clock{})
	var parts []string
	for range 2 {
		post, _ := request(t, "POST", url, "hello", "Upload-Length", "5", "Upload-Concat", "partial")
		parts = append(parts, post.Header.Get("Location"))
	}
	request(t, "POST", url, "", "Upload-Concat", "final;"+strings.Join(parts, " "))
	if u := r.of("created")[0].Data.Upload; u.Concat != "partial" {
		t.Errorf("%+v", u)
	}
	finished := r.of("finished")
	if len(finished) != 1 {
		t.Fatalf("%+v", finished)
	}
	if u := finished[0].Data.Upload; u.Concat != "final" || !slices.Equal(u.Parts, []string{idOf(parts[0]), idOf(parts[1])}) {
		t.Errorf("%+v", u)
	}
}

// The parts of a final upload are not forgotten because the receiver was away when it came to remove them.
func TestACleanUpWaitsForTheReceiver(t *testing.T) {
	r := receive(t, nil)
	_, url := serve(t, r, webhook.Options{Hooks: []string{"pre-terminate"}, Attempts: 1}, &clock{})
	part, _ := request(t, "POST", url, "hello", "Upload-Length", "5", "Upload-Concat", "partial")
	at := part.Header.Get("Location")
	r.set(true)
	final, _ := request(t, "POST", url, "", "Upload-Concat", "final;"+at)
	if resp, _ := request(t, "HEAD", at, ""); final.StatusCode != 201 || resp.StatusCode != 200 {
		t.Errorf("without a yes: final %s, part %s", final.Status, resp.Status)
	}
	r.set(false)
	request(t, "HEAD", final.Header.Get("Location"), "")
	if resp, _ := request(t, "HEAD", at, ""); resp.StatusCode != 404 || len(r.of("pre-terminate")) != 2 {
		t.Errorf("with a yes the part is answered %s, asked %d times", resp.Status, len(r.of("pre-terminate")))
	}
}

// Who may do nothing does not learn from the order of the answers whether an upload exists.
func TestAccessToWhatDoesNotExistIsAsked(t *testing.T) {
	r := receive(t, func(w http.ResponseWriter, _ webhook.Message) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(webhook.Answer{Reject: &webhook.Reject{Status: 401}})
	})
	_, url := serve(t, r, webhook.Options{Hooks: []string{"access"}}, &clock{})
	resp, _ := request(t, "PATCH", url+"nobody", "hello", "Upload-Offset", "0")
	asked := r.of("access")
	if resp.StatusCode != 401 || len(asked) != 1 || asked[0].Subject != "nobody" || asked[0].Data.Upload.Phase != "" {
		t.Errorf("%s %+v", resp.Status, asked)
	}
}

func TestAnUnknownLengthIsMissing(t *testing.T) {
	r := receive(t, nil)
	_, url := serve(t, r, webhook.Options{}, &clock{})
	request(t, "POST", url, "", "Upload-Defer-Length", "1")
	if u := r.of("created")[0].Data.Upload; u.Length != nil {
		t.Errorf("%+v", u)
	}
}

func TestTheReceiverDecides(t *testing.T) {
	answer := func(w http.ResponseWriter, status int, a webhook.Answer) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(a)
	}
	r := receive(t, func(w http.ResponseWriter, m webhook.Message) {
		switch strings.TrimPrefix(m.Type, webhook.TypePrefix) {
		case "access":
			if m.Data.Headers.Get("Cookie") != "user=me" {
				answer(w, 401, webhook.Answer{Reject: &webhook.Reject{Status: 401, Message: "who are you?\n", Headers: map[string]string{"WWW-Authenticate": "Cookie"}}})
				return
			}
		case "pre-create":
			answer(w, 200, webhook.Answer{ID: "chosen", Key: "in/box", Metadata: map[string]string{"owner": "me"}})
			return
		case "pre-finish":
			answer(w, 422, webhook.Answer{Reject: &webhook.Reject{Status: 422, Message: "not a picture\n"}})
			return
		case "pre-terminate":
			answer(w, 200, webhook.Answer{Reject: &webhook.Reject{}})
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	_, url := serve(t, r, webhook.Options{Hooks: allHooks, Forward: []string{"Cookie"}}, &clock{})
	if resp, body := request(t, "POST", url, "", "Upload-Length", "5"); resp.StatusCode != 401 || body != "who are you?\n" ||
		resp.Header.Get("WWW-Authenticate") != "Cookie" || resp.Header.Get("Tus-Resumable") != "1.0.0" {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	me := []string{"Cookie", "user=me"}
	post, _ := request(t, "POST", url, "", append(me, "Upload-Length", "5")...)
	if at := post.Header.Get("Location"); idOf(at) != "chosen" {
		t.Fatalf("%s", at)
	}
	if m := r.of("created"); len(m) != 1 || m[0].Data.Upload.Key != "in/box" || m[0].Data.Upload.Metadata["owner"] != "me" {
		t.Errorf("%+v", m)
	}
	if resp, body := request(t, "DELETE", url+"chosen", "", me...); resp.StatusCode != 403 {
		t.Errorf("%s %q", resp.Status, body)
	}
	if resp, body := request(t, "PATCH", url+"chosen", "hello", append(me, "Upload-Offset", "0")...); resp.StatusCode != 422 || body != "not a picture\n" {
		t.Errorf("%s %q", resp.Status, body)
	}
	if resp, _ := request(t, "HEAD", url+"chosen", "", me...); resp.StatusCode != 404 {
		t.Errorf("%s", resp.Status)
	}
	if len(r.of("terminated")) != 1 || len(r.of("finished")) != 0 {
		t.Errorf("terminated %d times, finished %d times", len(r.of("terminated")), len(r.of("finished")))
	}
}

// A receiver that cannot be reached lets nothing happen, removes nothing, and its words stay in the log.
func TestAReceiverThatIsDownLetsNothingHappen(t *testing.T) {
	for _, hook := range []string{"access", "pre-create", "pre-finish", "pre-terminate"} {
		t.Run(hook, func(t *testing.T) {
			r := receive(t, nil)
			_, url := serve(t, r, webhook.Options{Hooks: []string{hook}, Attempts: 2}, &clock{})
			post, _ := request(t, "POST", url, "", "Upload-Length", "5")
			at := post.Header.Get("Location")
			r.set(true)
			try := func() (*http.Response, string) {
				switch hook {
				case "access":
					return request(t, "GET", at, "")
				case "pre-create":
					return request(t, "POST", url, "", "Upload-Length", "5")
				case "pre-finish":
					return request(t, "PATCH", at, "hello", "Upload-Offset", "0")
				}
				return request(t, "DELETE", at, "")
			}
			resp, body := try()
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || strings.Contains(body, "secret-detail") {
				t.Errorf("%s %q", resp.Status, body)
			}
			r.set(false)
			if resp, _ := request(t, "HEAD", at, ""); resp.StatusCode != 200 {
				t.Errorf("afterwards HEAD is answered %s", resp.Status)
			}
			if hook == "pre-finish" {
				if resp, body := request(t, "GET", at, ""); resp.StatusCode != 200 || body != "hello" {
					t.Errorf("%s %q", resp.Status, body)
				}
			}
		})
	}
}

func TestEventsThatFailAreDeliveredLaterUnderTheirID(t *testing.T) {
	for _, by := range []string{"the next request", "Sweep"} {
		t.Run(by, func(t *testing.T) {
			c := &clock{}
			r := receive(t, nil)
			uploads, url := serve(t, r, webhook.Options{Attempts: 2}, c)
			r.set(true)
			post, _ := request(t, "POST", url, "hello", "Upload-Length", "5")
			if post.StatusCode != 201 || post.Header.Get("Upload-Offset") != "5" {
				t.Fatalf("an upload waits for a receiver of events: %s", post.Status)
			}
			at := post.Header.Get("Location")
			failed := r.of("created")
			r.set(false)
			if by == "Sweep" {
				c.ahead = 2 * time.Minute
				report, err := uploads.Sweep(context.Background())
				if err != nil || report.Delivered != 1 {
					t.Errorf("%+v %v", report, err)
				}
			} else {
				request(t, "HEAD", at, "")
			}
			all := r.of("created")
			if len(failed) < 2 || len(all) != len(failed)+1 || len(r.of("finished")) != 1 {
				t.Fatalf("%d times in vain, %d in all, finished %d", len(failed), len(all), len(r.of("finished")))
			}
			for _, m := range all {
				if m.ID != all[0].ID || m.Source != all[0].Source {
					t.Errorf("%s is told again as %s", all[0].ID, m.ID)
				}
			}
			request(t, "HEAD", at, "")
			if n := len(r.of("finished")); n != 1 {
				t.Errorf("told again after it was heard: %d", n)
			}
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	strayed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed = true }))
	defer other.Close()
	r := receive(t, func(w http.ResponseWriter, _ webhook.Message) {
		w.Header().Set("Location", other.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	_, url := serve(t, r, webhook.Options{Hooks: []string{"pre-create"}}, &clock{})
	if resp, _ := request(t, "POST", url, "", "Upload-Length", "5"); resp.StatusCode != 503 || strayed || len(r.got) != 1 {
		t.Errorf("%s, strayed %v, asked %d times", resp.Status, strayed, len(r.got))
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	asked := false
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	defer srv.Close()
	h, err := webhook.New(srv.URL, &webhook.Options{Hooks: []string{"pre-finish"}, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = h.PreFinish(t.Context(), tus.Upload{ID: "up"})
	if !errors.Is(err, tus.ErrUnavailable) || asked || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v, asked %v", err, asked)
	}
	h, err = webhook.New(srv.URL, &webhook.Options{Hooks: []string{"pre-finish"}, Transport: srv.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if err = h.PreFinish(t.Context(), tus.Upload{ID: "up"}); err != nil || !asked {
		t.Errorf("with the certificate that it has: %v", err)
	}
}

// What the log may not have: an address with a key in its query.
func TestErrorsDoNotRepeatTheAddress(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	h, err := webhook.New("http://"+u.Host+"/path?key=geheim", &webhook.Options{Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err = h.Event(t.Context(), tus.Event{ID: "a", Kind: tus.Finished}); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
}
