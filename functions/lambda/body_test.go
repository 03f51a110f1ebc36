package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

var bodies = []string{
	`{"body":"YWJj","isBase64Encoded":true}`,
	`{ "body" : "YWJj" , "isBase64Encoded" : true }`,
	`{"isBase64Encoded":true,"headers":{"body":"no","x":"\"body\":\"no\""},"body":"YWJj"}`,
	`{"queryStringParameters":{"body":"no"},"x":"body","isBase64Encoded":true,"body":"YWJj"}`,
	`{"body":"YW\u004aj","isBase64Encoded":true}`,
	`{"body":"YWJj\/w==","isBase64Encoded":true}`,
	`{"body":"a \"quoted\" text"}`,
	`{"x":"\\","body":"plain"}`,
	`{"x":"\\\"","body":"plain"}`,
	`{"body":null,"isBase64Encoded":false}`,
	`{"body":"first","body":"second"}`,
	`{"body":"first","body":""}`,
	`{"body":""}`,
	`{"x":[{"body":"no"}],"body":"plain"}`,
	`{"body":"cut off`,
	`{"body`,
	`{"body":`,
	`[{"body":"no"}]`,
	`{"BODY":"YWJj","isBase64Encoded":true}`,
}

// FuzzCutBody holds the cut against the decoder's own reading.
func FuzzCutBody(f *testing.F) {
	for _, b := range bodies {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var plain event
		err := json.Unmarshal([]byte(text), &plain)
		if err == nil && strings.Contains(text, "�") != strings.Contains(plain.Body, "�") {
			t.Skip("not UTF-8: the decoder changes it, and the function refuses it")
		}
		want, wantErr := plain.body(true)
		e, got := decode([]byte(text))
		if (got == nil) != (err == nil) && e.cut == nil {
			t.Fatalf("%q: %v, want %v", text, got, err)
		}
		if err != nil || got != nil {
			return
		}
		b, bodyErr := e.body(true)
		if string(b) != string(want) || (bodyErr == nil) != (wantErr == nil) {
			t.Errorf("%q: %q, %v; want %q, %v", text, b, bodyErr, want, wantErr)
		}
	})
}

func TestTheBodyIsCutOutWithoutACopy(t *testing.T) {
	text := `{"headers":{"x":"` + strings.Repeat("y", 1000) + `"},"body":"` + strings.Repeat("QUJD", 100_000) + `","isBase64Encoded":true}`
	rest, body := cutBody([]byte(text))
	if len(body) != 400_000 || len(rest) > 2000 {
		t.Errorf("%d bytes cut, %d left", len(body), len(rest))
	}
	e := event{cut: body, IsBase64Encoded: true}
	if b, err := e.body(true); err != nil || base64.StdEncoding.EncodeToString(b) != string(body) {
		t.Error(err)
	}
}
