package tus_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fileloft/fileloft/tus"
)

// A body with a checksum is one round, however long: it needs slots for all of it. The storage notes slots that
// were not granted.
func TestABodyWithAChecksumGoesPastTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, tus.Options{CheckpointBytes: 100}, newCrash(0, false, 0))
		data := payload(5000)
		sum := sha256.Sum256(data)
		check := "sha256 " + base64.StdEncoding.EncodeToString(sum[:])
		for _, loc := range []string{
			w.create(data, "Upload-Length", "5000", "Content-Type", octets, "Upload-Checksum", check),
			func() string {
				loc := w.create(nil, "Upload-Length", "5000")
				resp := w.do(http.MethodPatch, loc, data, "Upload-Offset", "0", "Content-Type", octets, "Upload-Checksum", check)
				if resp.StatusCode != http.StatusNoContent {
					t.Fatalf("PATCH: %s", resp.Status)
				}
				return loc
			}(),
		} {
			w.object(loc, data)
		}
		if v := w.storage.Violations(); len(v) > 0 {
			t.Error(v)
		}
	})
}

// A chunked body that goes on behind the upload's end is refused, also where a round ended just there.
func TestAnOverlongBodyIsRefusedWhereARoundEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, tus.Options{CheckpointBytes: 100}, newCrash(0, false, 0))
		data := payload(100)
		loc := w.create(nil, "Upload-Length", "100")
		for _, extra := range []string{"x", ""} {
			want := http.StatusNoContent
			if extra != "" {
				want = http.StatusRequestEntityTooLarge
			}
			// A reader behind a MultiReader hides its length, and each is read by itself.
			r := httptest.NewRequest(http.MethodPatch, loc, io.MultiReader(bytes.NewReader(data), strings.NewReader(extra)))
			for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": octets} {
				r.Header.Set(k, v)
			}
			rec := httptest.NewRecorder()
			w.h.ServeHTTP(rec, r)
			if rec.Code != want {
				t.Errorf("with %q behind the end: %d, want %d", extra, rec.Code, want)
			}
		}
		w.object(loc, data)
	})
}
