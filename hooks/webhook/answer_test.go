package webhook

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/tus"
)

const jsonType = "application/json; charset=utf-8"

func TestWhatAnswersMean(t *testing.T) {
	no := func(status int, body string) *tus.Rejection {
		return &tus.Rejection{Status: status, Body: body, Header: http.Header{}}
	}
	for _, tt := range []struct {
		name      string
		status    int
		kind      string
		body      string
		rejection *tus.Rejection // nil and not broken: go on
		broken    bool
	}{
		{"204", 204, "", "", nil, false},
		{"200 with text", 200, "text/plain", "reject", nil, false},
		{"200 with a page", 200, "text/html", "<html>", nil, false},
		{"200 with an empty body that says it is JSON", 200, jsonType, " ", nil, false},
		{"200 with an empty object", 200, jsonType, "{}", nil, false},
		{"null", 200, jsonType, "null", nil, false},
		{"a no", 403, jsonType, `{"reject":{"status":403,"message":"no"}}`, no(403, "no"), false},
		{"a no with another status than the client's", 400, jsonType, `{"reject":{"status":451,"message":"no"}}`, no(451, "no"), false},
		{"a no with 200", 200, jsonType, `{"reject":{"status":402}}`, no(402, ""), false},
		{"a no without a word", 403, "application/problem+json", `{"reject":{}}`, no(403, ""), false},
		{"a no that is null", 403, jsonType, `{"reject":null}`, nil, true},
		{"a status alone is no no: the address may be wrong", 403, "", "", nil, true},
		{"a gateway's 404", 404, jsonType, `{"message":"Not Found"}`, nil, true},
		{"a framework's 404", 404, jsonType, `{"status":404,"message":"no such route"}`, nil, true},
		{"a no that is not said to be JSON", 403, "text/plain", `{"reject":{}}`, nil, true},
		{"a misspelt no", 200, jsonType, `{"rejct":{"status":403}}`, nil, true},
		{"a misspelt status", 200, jsonType, `{"reject":{"code":401}}`, nil, true},
		{"a framework's way to say yes", 200, jsonType, `{"ok":true}`, nil, true},
		{"a status that is none", 403, jsonType, `{"reject":{"status":200}}`, nil, true},
		{"a status that would mean another thing", 403, jsonType, `{"reject":{"status":503}}`, nil, true},
		{"broken JSON", 200, jsonType, `{"reject":`, nil, true},
		{"two values", 200, jsonType, `{} {"reject":{}}`, nil, true},
		{"a list", 200, jsonType, `[]`, nil, true},
		{"not UTF-8", 200, jsonType, "{\"reject\":{\"message\":\"\xff\"}}", nil, true},
		{"a header that is the server's", 403, jsonType, `{"reject":{"headers":{"Upload-Offset":"1"}}}`, nil, true},
		{"a header of HTTP itself", 403, jsonType, `{"reject":{"headers":{"Transfer-Encoding":"chunked"}}}`, nil, true},
		{"a header that splits", 403, jsonType, `{"reject":{"headers":{"X":"a\r\nSet-Cookie: b"}}}`, nil, true},
		{"a name that splits", 403, jsonType, `{"reject":{"headers":{"X: a\r\nY":"b"}}}`, nil, true},
		{"a change in a place where nothing can be changed", 200, jsonType, `{"key":"a"}`, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, s := newTest(t, Options{}, answer{status: tt.status, header: http.Header{"Content-Type": {tt.kind}}, body: tt.body})
			err := h.PreFinish(t.Context(), tus.Upload{ID: "up"})
			r, rejected := errors.AsType[*tus.Rejection](err)
			switch {
			case len(s.seen) != 1:
				t.Errorf("asked %d times", len(s.seen))
			case tt.broken && (err == nil || rejected):
				t.Errorf("want an error that is no rejection, got %v", err)
			case !tt.broken && tt.rejection == nil && err != nil:
				t.Error(err)
			case tt.rejection != nil && (!rejected || cmp.Diff(tt.rejection, r) != ""):
				t.Errorf("%v", err)
			}
		})
	}
}

func TestARejectionMayHaveHeaders(t *testing.T) {
	h, _ := newTest(t, Options{}, answer{
		status: 401, header: http.Header{"Content-Type": {"application/json"}},
		body: `{"reject":{"status":401,"message":"{}","headers":{"www-authenticate":"Bearer","content-type":"application/json"}}}`,
	})
	err := h.PreTerminate(t.Context(), tus.Upload{ID: "up"})
	r, ok := errors.AsType[*tus.Rejection](err)
	if !ok || r.Header.Get("WWW-Authenticate") != "Bearer" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", err)
	}
}

func TestPreCreateChangesTheUpload(t *testing.T) {
	const sent = "filename YS50eHQ=,secret"
	for _, tt := range []struct {
		name, body string
		want       tus.Creation // ID "" means an error
	}{
		{"nothing", `{}`, tus.Creation{ID: "id", Metadata: sent}},
		{"the id", `{"id":"other"}`, tus.Creation{ID: "other", Metadata: sent}},
		{"the key", `{"key":"a/b"}`, tus.Creation{ID: "id", Key: "a/b", Metadata: sent}},
		{"the metadata, in order", `{"metadata":{"b":"","a":"ä"}}`, tus.Creation{ID: "id", Metadata: "a w6Q=,b"}},
		{"no metadata", `{"metadata":{}}`, tus.Creation{ID: "id"}},
		{"the header", `{"upload_metadata":"x /w=="}`, tus.Creation{ID: "id", Metadata: "x /w=="}},
		{"no header", `{"upload_metadata":""}`, tus.Creation{ID: "id"}},
		{"an id that is none", `{"id":"../x"}`, tus.Creation{}},
		{"both forms", `{"metadata":{},"upload_metadata":""}`, tus.Creation{}},
		{"a key of metadata that is none", `{"metadata":{"a b":"c"}}`, tus.Creation{}},
		{"a key that is two", `{"metadata":{"a,b":"c"}}`, tus.Creation{}},
		{"an empty one", `{"metadata":{"":"c"}}`, tus.Creation{}},
		{"a header that is none", `{"upload_metadata":"x !"}`, tus.Creation{}},
		{"a header that splits", `{"upload_metadata":"x\r\nY: z"}`, tus.Creation{}},
		{"too much", `{"metadata":{"a":"` + strings.Repeat("x", 6200) + `"}}`, tus.Creation{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := newTest(t, Options{}, answer{status: 200, header: http.Header{"Content-Type": {"application/json"}}, body: tt.body})
			c := tus.Creation{ID: "id", Metadata: sent}
			err := h.PreCreate(t.Context(), &c)
			if tt.want.ID == "" {
				if err == nil || errors.As(err, new(*tus.Rejection)) || c.ID != "id" || c.Metadata != sent {
					t.Errorf("%v %+v", err, c)
				}
				return
			}
			if err != nil || cmp.Diff(tt.want, c) != "" {
				t.Errorf("%v %s", err, cmp.Diff(tt.want, c))
			}
		})
	}
}

// Whatever a receiver says: no panic, no rejection that could forge an answer, no change that the engine would choke on.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{}`, `null`, `{"reject":{"status":403,"message":"no","headers":{"A":"b"}}}`, `{"id":"a","key":"b/c","metadata":{"d":"e"}}`,
		`{"upload_metadata":"a YQ=="}`, `{"reject":null,"id":"x"}`, `[1]`, `{"Reject":{}}`, "{\"id\":\"\xff\"}", `{"a":` + strings.Repeat("[", 50),
	} {
		f.Add(200, "application/json", []byte(body))
		f.Add(403, "application/problem+json", []byte(body))
		f.Add(500, "text/plain", []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		a, err := parseAnswer(reply{status, kind, body})
		if err != nil {
			return
		}
		if a.Reject != nil {
			r := a.Reject.rejection()
			if r.Status < 400 || r.Status > 499 || status < 200 || status > 299 && status < 400 || status > 499 || len(body) == 0 {
				t.Errorf("%d %q is a rejection with status %d", status, body, r.Status)
			}
			for name, values := range r.Header {
				if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") || strings.HasPrefix(name, "Upload-") || strings.HasPrefix(name, "Tus-") {
					t.Errorf("%q: %q", name, values)
				}
			}
			return
		}
		if status < 200 || status > 299 {
			t.Errorf("%d %q lets things happen", status, body)
		}
		var loose map[string]json.RawMessage
		if isJSON(kind) && json.Unmarshal(body, &loose) == nil && string(loose["reject"]) == "true" {
			t.Errorf("%q lets things happen", body)
		}
		c := tus.Creation{ID: "id"}
		if a.apply(&c, 8<<10) != nil {
			return
		}
		if _, err := tus.ParseMetadata(c.Metadata); err != nil || c.ID.Validate() != nil || len(c.Metadata) > 8<<10 {
			t.Errorf("%q makes %+v", body, c)
		}
	})
}
