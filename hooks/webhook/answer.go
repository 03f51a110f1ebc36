package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fileloft/fileloft/tus"
)

// An Answer is what a receiver may say to a question, as a JSON object with these members and no others: a misspelt "reject"
// must not let anything through. An empty answer, or one that is not JSON, with a status from 200 to 299 means: go on.
type Answer struct {
	// Reject prevents what would have happened. It counts with any status from 200 to 299 and from 400 to 499, but 408 and 429. A
	// status alone rejects nothing: a wrong address answers 404 too, and what is rejected at its end is removed.
	Reject *Reject `json:"reject,omitempty"`

	// The rest is for pre-create alone. ID is the upload's; it must be free and unguessable.
	ID string `json:"id,omitempty"`
	// Key is where the finished object goes, below the storage's prefix or directory.
	Key string `json:"key,omitempty"`
	// Metadata replaces all that the client sent, and so does UploadMetadata, in the form of the header Upload-Metadata. Only one
	// of them can be there.
	Metadata       map[string]string `json:"metadata,omitempty"`
	UploadMetadata *string           `json:"upload_metadata,omitempty"`
}

// Reject is what the client gets in place of what it asked for.
type Reject struct {
	Status  int               `json:"status,omitempty"`  // 400 to 499. Default 403
	Message string            `json:"message,omitempty"` // the body, as text unless headers say otherwise. Default: a sentence
	Headers map[string]string `json:"headers,omitempty"` // such as WWW-Authenticate
}

// changes reports whether the answer wants another upload than the client.
func (a *Answer) changes() bool {
	return a.ID != "" || a.Key != "" || a.Metadata != nil || a.UploadMetadata != nil
}

// A reply is an HTTP response, read.
type reply struct {
	status      int
	contentType string
	body        []byte
}

// parseAnswer reads the answer to a question. It is the only judge of what a reply means: whatever it does not
// understand is an error, and the thing does not happen.
func parseAnswer(r reply) (*Answer, error) {
	fine := r.status >= 200 && r.status < 300
	if !fine && (r.status < 400 || r.status > 499) {
		return nil, r.unexpected()
	}
	a := new(Answer)
	if isJSON(r.contentType) && len(bytes.TrimSpace(r.body)) > 0 {
		if err := decode(r.body, a); err != nil {
			if !fine { // a gateway's or a framework's way to say 404
				return nil, r.unexpected()
			}
			return nil, err
		}
	}
	if !fine && a.Reject == nil {
		return nil, r.unexpected()
	}
	if a.Reject != nil {
		return a, a.Reject.check()
	}
	return a, nil
}

// unexpected is the error for a status that is neither yes nor, with its body, no. The beginning of the body is for the log.
func (r reply) unexpected() error {
	return fmt.Errorf("answered %d: %.200q", r.status, r.body)
}

func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || strings.HasSuffix(t, "+json"))
}

func decode(body []byte, a *Answer) error {
	if !utf8.Valid(body) {
		return errors.New("the JSON is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(a); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more than one JSON value")
	}
	return nil
}

// check finds what must not reach a client.
func (r *Reject) check() error {
	if r.Status != 0 && (r.Status < 400 || r.Status > 499) {
		return fmt.Errorf("reject.status is %d, and not from 400 to 499", r.Status)
	}
	for name, value := range r.Headers {
		if !token(name) || !plain(value) || engines(name) {
			return fmt.Errorf("reject.headers has %q, which cannot be set", name)
		}
	}
	return nil
}

// engines are the headers of an answer that the server itself sets.
func engines(name string) bool {
	switch name = strings.ToLower(name); name {
	case "location", "x-request-id", "x-content-type-options", "date", "server":
		return true
	}
	return name != "content-type" && name != "content-encoding" && reserved(name) ||
		strings.HasPrefix(name, "tus-") || strings.HasPrefix(name, "upload-") || strings.HasPrefix(name, "access-control-")
}

func (r *Reject) rejection() *tus.Rejection {
	t := &tus.Rejection{Status: r.Status, Body: r.Message, Header: http.Header{}}
	if t.Status == 0 {
		t.Status = http.StatusForbidden
	}
	for name, value := range r.Headers {
		t.Header.Set(name, value)
	}
	return t
}

// apply makes the changes that pre-create wants, if all of them are possible. The engine checks the key.
func (a *Answer) apply(c *tus.Creation, maxMetadata int) error {
	if a.Metadata != nil && a.UploadMetadata != nil {
		return errors.New("webhook: answer to pre-create: it has both metadata and upload_metadata")
	}
	n := *c
	if a.ID != "" {
		n.ID = tus.ID(a.ID)
		if err := n.ID.Validate(); err != nil {
			return fmt.Errorf("webhook: answer to pre-create: %w", err)
		}
	}
	if a.Key != "" {
		n.Key = a.Key
	}
	if a.Metadata != nil {
		n.Metadata = encode(a.Metadata)
	}
	if a.UploadMetadata != nil {
		n.Metadata = *a.UploadMetadata
	}
	m, err := tus.ParseMetadata(n.Metadata)
	if err != nil {
		return fmt.Errorf("webhook: answer to pre-create: %w", err)
	}
	if a.Metadata != nil && !maps.Equal(m, a.Metadata) { // "a,b" as a key would become two
		return errors.New("webhook: answer to pre-create: a key of metadata is empty or has a space or a comma in it")
	}
	if len(n.Metadata) > maxMetadata && a.changes() {
		return fmt.Errorf("webhook: answer to pre-create: metadata of %d bytes, more than this server takes", len(n.Metadata))
	}
	*c = n
	return nil
}

// encode writes metadata as the header Upload-Metadata has it, in the order of the keys.
func encode(m map[string]string) string {
	pairs := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pair := k
		if m[k] != "" {
			pair += " " + base64.StdEncoding.EncodeToString([]byte(m[k]))
		}
		pairs = append(pairs, pair)
	}
	return strings.Join(pairs, ",")
}

// token reports whether a name can be a header's (RFC 9110, 5.6.2).
func token(name string) bool {
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// plain reports whether a text can be a header's value: printable ASCII, spaces and tabs.
func plain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}
