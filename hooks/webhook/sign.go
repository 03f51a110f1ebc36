package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks 1.0.0.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// ErrSignature is the error of [Verify]: the message is not from who shares the secret, or not from now.
var ErrSignature = errors.New("webhook: the signature does not hold")

// keysOf decodes secrets. What is wrong is said without repeating them.
func keysOf(secrets []string) ([][]byte, error) {
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		text, ok := strings.CutPrefix(s, "whsec_")
		key, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || len(key) < 24 || len(key) > 64 || strings.ContainsAny(text, "\r\n") {
			return nil, errors.New(`webhook: a secret is "whsec_" and 24 to 64 random bytes in base64`)
		}
		keys[i] = key
	}
	return keys, nil
}

// webhookID is a message's id without full stops, which separate what is signed: with one in it a message could be read as
// another. No id has a colon.
func webhookID(id string) string { return strings.ReplaceAll(id, ".", ":") }

// sign returns the signatures of a message under all keys.
func sign(keys [][]byte, id, timestamp string, body []byte) string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = "v1," + base64.StdEncoding.EncodeToString(mac(key, id, timestamp, body))
	}
	return strings.Join(list, " ")
}

func mac(key []byte, id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%s.", id, timestamp)
	h.Write(body)
	return h.Sum(nil)
}

// Verify is for receivers: it checks that body, as it came, with its headers, was signed with one of the secrets, no longer
// than tolerance ago and no further ahead. 0 means 5 minutes. Repeats within that time pass: the header webhook-id tells them.
// Errors: ErrSignature; another one for a secret that is none.
func Verify(h http.Header, body []byte, tolerance time.Duration, secrets ...string) error {
	keys, err := keysOf(secrets)
	if err != nil {
		return err
	}
	set(&tolerance, 5*time.Minute)
	id, timestamp, signatures := h.Values(headerID), h.Values(headerTimestamp), h.Values(headerSignature)
	if len(id) != 1 || id[0] == "" || len(timestamp) != 1 || len(signatures) != 1 {
		return fmt.Errorf("%w: webhook-id, webhook-timestamp or webhook-signature is missing or there twice", ErrSignature)
	}
	seconds, err := strconv.ParseInt(timestamp[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: webhook-timestamp is not a number", ErrSignature)
	}
	if age := time.Since(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("%w: the message is not from now", ErrSignature)
	}
	for _, key := range keys {
		want := mac(key, id[0], timestamp[0], body)
		for s := range strings.SplitSeq(signatures[0], " ") {
			text, v1 := strings.CutPrefix(s, "v1,")
			got, err := base64.StdEncoding.DecodeString(text)
			if v1 && err == nil && hmac.Equal(got, want) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: it was made with another secret or for another message", ErrSignature)
}
