package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/tus"
)

// blocks returns the code blocks of a language in docs/hooks.md.
func blocks(t *testing.T, language string) (page string, list []string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/hooks.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := string(b)
	for {
		_, after, ok := strings.Cut(rest, "```"+language+"\n")
		if !ok {
			return string(b), list
		}
		code, tail, _ := strings.Cut(after, "\n```")
		list, rest = append(list, code), tail
	}
}

// The examples are the messages: read into the types and written again they stay what they are.
func TestTheMessagesOfTheDocumentationAreTheMessages(t *testing.T) {
	_, list := blocks(t, "json")
	seen := map[string]bool{}
	for _, text := range list {
		var m Message
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if !strings.Contains(text, "specversion") {
			continue
		}
		if err := d.Decode(&m); err != nil {
			t.Errorf("%v in %s", err, text)
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(generic(t, []byte(text)), generic(t, again)); diff != "" {
			t.Errorf("%s: %s", m.Type, diff)
		}
		hook := strings.TrimPrefix(m.Type, TypePrefix)
		if _, known := names[hook]; !known || seen[hook] {
			t.Errorf("%s is no hook, or there twice", m.Type)
		}
		seen[hook] = true
		if u := m.Data.Upload; u != nil && u.UploadMetadata != "" {
			want, err := tus.ParseMetadata(u.UploadMetadata)
			if err != nil || !cmp.Equal(want, u.Metadata) {
				t.Errorf("%s: the two forms of metadata differ: %v", m.Type, err)
			}
		}
	}
	if len(seen) < 3 {
		t.Errorf("only %d messages", len(seen))
	}
}

func TestTheAnswersOfTheDocumentationAreUnderstood(t *testing.T) {
	_, list := blocks(t, "json")
	n := 0
	for _, text := range list {
		if strings.Contains(text, "specversion") {
			continue
		}
		n++
		a, err := parseAnswer(reply{200, "application/json", []byte(text)})
		if err != nil {
			t.Errorf("%v in %s", err, text)
			continue
		}
		c := tus.Creation{ID: "id"}
		if a.Reject == nil && (a.apply(&c, 8<<10) != nil || reflect.DeepEqual(c, tus.Creation{ID: "id"})) {
			t.Errorf("%s changes nothing", text)
		}
		if a.Reject != nil && a.Reject.rejection().Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s", text)
		}
	}
	if n != 3 {
		t.Errorf("%d answers", n)
	}
}

func TestTheDocumentationNamesEverything(t *testing.T) {
	page, _ := blocks(t, "json")
	for hook := range names {
		if !strings.Contains(page, "| `"+hook+"` |") {
			t.Errorf("docs/hooks.md has no row for %s", hook)
		}
	}
	for _, v := range []any{Message{}, Data{}, Upload{}, Answer{}, Reject{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			member, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(page, `"`+member+`"`) && !strings.Contains(page, "`"+member+"`") {
				t.Errorf("docs/hooks.md does not show %s of %s", member, typ)
			}
		}
	}
	for _, header := range []string{headerID, headerTimestamp, headerSignature} {
		if !strings.Contains(page, strings.ToLower(header)) {
			t.Errorf("docs/hooks.md does not name %s", header)
		}
	}
	if !strings.Contains(page, "Content-Type: "+contentType) {
		t.Errorf("docs/hooks.md has another type than %s", contentType)
	}
}

// What is sent has no members but those of the types, and all that are not optional.
func TestWhatIsSentIsWhatIsDocumented(t *testing.T) {
	h, s := newTest(t, Options{Forward: []string{"A"}}, answer{status: 200})
	c := tus.Creation{ID: "id", Length: 5, Header: http.Header{"A": {"b"}}}
	if err := h.PreCreate(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(s.seen[0].body)))
	d.DisallowUnknownFields()
	var m Message
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"} {
		if _, ok := generic(t, []byte(s.seen[0].body)).(map[string]any)[member]; !ok {
			t.Errorf("%s is missing", member)
		}
	}
}

func generic(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
