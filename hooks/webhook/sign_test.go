package webhook

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	secretA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretB = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// The vector that the libraries of Standard Webhooks test themselves with.
func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	keys, err := keysOf([]string{secretA})
	if err != nil {
		t.Fatal(err)
	}
	got := sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	keys, err := keysOf([]string{secretA})
	if err != nil {
		t.Fatal(err)
	}
	const id, at, body = "id", "1700000000", `{"a":1}`
	good := sign(keys, id, at, []byte(body))
	header := func(id, at, signature string) http.Header {
		return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
	}
	twice := header(id, at, good)
	twice.Add("webhook-id", "other")
	for _, tt := range []struct {
		name    string
		h       http.Header
		body    string
		after   time.Duration
		within  time.Duration
		secrets []string
		ok      bool
	}{
		{"as sent", header(id, at, good), body, 0, 0, []string{secretA}, true},
		{"the receiver has an old and a new secret", header(id, at, good), body, 0, 0, []string{secretB, secretA}, true},
		{"the sender has an old and a new secret", header(id, at, "v1,"+strings.Repeat("A", 43)+"= "+good), body, 0, 0, []string{secretA}, true},
		{"beside a signature of another kind", header(id, at, "v1a,AAAA "+good), body, 0, 0, []string{secretA}, true},
		{"five minutes later", header(id, at, good), body, 5 * time.Minute, 0, []string{secretA}, true},
		{"later than that", header(id, at, good), body, 5*time.Minute + time.Second, 0, []string{secretA}, false},
		{"five minutes ahead", header(id, at, good), body, -5 * time.Minute, 0, []string{secretA}, true},
		{"further ahead", header(id, at, good), body, -5*time.Minute - time.Second, 0, []string{secretA}, false},
		{"within a window of one's own", header(id, at, good), body, time.Hour, time.Hour, []string{secretA}, true},
		{"another secret", header(id, at, good), body, 0, 0, []string{secretB}, false},
		{"no secret", header(id, at, good), body, 0, 0, nil, false},
		{"another body", header(id, at, good), body + " ", 0, 0, []string{secretA}, false},
		{"another id", header("jd", at, good), body, 0, 0, []string{secretA}, false},
		{"another time", header(id, "1700000001", good), body, 0, 0, []string{secretA}, false},
		{"a time that is none", header(id, "now", good), body, 0, 0, []string{secretA}, false},
		{"a time beyond time", header(id, "9223372036854775807", good), body, 0, 0, []string{secretA}, false},
		{"a signature of another kind alone", header(id, at, "v1a,"+good[3:]), body, 0, 0, []string{secretA}, false},
		{"a signature of no kind", header(id, at, good[3:]), body, 0, 0, []string{secretA}, false},
		{"half a signature", header(id, at, good[:20]), body, 0, 0, []string{secretA}, false},
		{"an empty signature", header(id, at, "v1,"), body, 0, 0, []string{secretA}, false},
		{"no headers", http.Header{}, body, 0, 0, []string{secretA}, false},
		{"an id that is there twice", twice, body, 0, 0, []string{secretA}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Unix(1700000000, 0)) + tt.after)
				err := Verify(tt.h, []byte(tt.body), tt.within, tt.secrets...)
				if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrSignature) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestSecretsThatAreNoneAreRefusedAndNotRepeated(t *testing.T) {
	long := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))
	short := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))
	for _, s := range []string{"", "whsec_", "hunter2", secretA[6:], short, long, secretA + "\n", "whsec_=="} {
		_, err := New("http://127.0.0.1/", &Options{Secrets: []string{s}})
		if err == nil || len(s) > 6 && strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", s, err)
		}
		if err := Verify(http.Header{}, nil, 0, s); err == nil || errors.Is(err, ErrSignature) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// A full stop in what is signed separates; in an id it could be read so too.
func TestTheSignedIDHasNoFullStops(t *testing.T) {
	if got := webhookID("u-1_x.birth.progress.17"); got != "u-1_x:birth:progress:17" {
		t.Error(got)
	}
}
