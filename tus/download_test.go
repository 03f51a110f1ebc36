package tus_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// linked is a storage that makes links; plain is one that can do nothing else with a finished upload.
type linked struct {
	tus.Storage
	err error
}

func (s linked) Link(_ context.Context, u tus.Upload, disposition, contentType string) (string, error) {
	q := url.Values{"disposition": {disposition}, "type": {contentType}}
	return "https://bucket.example.com/" + u.ObjectKey() + "?" + q.Encode(), s.err
}

func (s linked) Unwrap() tus.Storage { return s.Storage }

type plain struct{ tus.Storage }

func TestDownloadsAreLinksWhereTheStorageMakesThem(t *testing.T) {
	for name, c := range map[string]struct {
		storage tus.Storage
		want    int
	}{
		"a link":                                {linked{plain{memstore.New(nil)}, nil}, http.StatusFound},
		"no link to be had, so the bytes":       {linked{memstore.New(nil), errors.New("no key to sign with")}, http.StatusOK},
		"no link to be had, and no other way":   {linked{plain{memstore.New(nil)}, tus.ErrUnavailable}, http.StatusServiceUnavailable},
		"the bytes, from a storage behind both": {memstore.New(nil), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := tus.NewHandler(memstate.New(nil), c.storage, &tus.Options{EnableDownload: true, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			loc := asker(h)(http.MethodPost, "/files/", "hello", "Upload-Length", "5", "Content-Type", octets,
				"Upload-Metadata", "filename YS50eHQ=,filetype dGV4dC9wbGFpbg==").Header().Get("Location")
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, loc, nil))
			if rec.Code != c.want {
				t.Fatalf("GET: %d %s", rec.Code, rec.Body)
			}
			switch c.want {
			case http.StatusFound:
				to, err := url.Parse(rec.Header().Get("Location"))
				if err != nil || to.Host != "bucket.example.com" || to.Query().Get("type") != "text/plain" ||
					to.Query().Get("disposition") != "inline; filename=a.txt" || rec.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("redirect: %v", rec.Header())
				}
			case http.StatusOK:
				if rec.Body.String() != "hello" {
					t.Errorf("body: %q", rec.Body)
				}
			}
		})
	}
}

func TestAnExtensionNeedsAStorageThatCanDoIt(t *testing.T) {
	storage := plain{memstore.New(nil)}
	for name, o := range map[string]*tus.Options{
		"Opener":       {EnableDownload: true},
		"Concatenator": {EnableConcatenation: true},
	} {
		if _, err := tus.NewHandler(memstate.New(nil), storage, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
