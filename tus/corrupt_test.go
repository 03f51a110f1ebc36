package tus_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// rotten is a storage that has lost bytes: it notices when it is to append to them, or it holds others in the end.
type rotten struct {
	*memstore.Store
	early bool
}

func (s rotten) Append(ctx context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	if s.early && l.Upload.Offset > 0 {
		return tus.Receipt{NextSlot: l.Slots.First}, tus.ErrCorrupt
	}
	return s.Store.Append(ctx, l, r)
}

func (s rotten) Complete(ctx context.Context, l tus.Lease) (tus.Stored, error) {
	st, err := s.Store.Complete(ctx, l)
	st.CRC32C++
	return st, err
}

// asker returns a function that sends one request to h.
func asker(h http.Handler) func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	return func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
}

func TestAnUploadThatIsNotWhatWasSentFailsLoudly(t *testing.T) {
	for name, early := range map[string]bool{"at the next append": true, "at the end": false} {
		t.Run(name, func(t *testing.T) {
			storage := rotten{memstore.New(nil), early}
			h, err := tus.NewHandler(memstate.New(nil), storage, &tus.Options{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			do := asker(h)
			loc := strings.TrimPrefix(do(http.MethodPost, "/files/", "", "Upload-Length", "10").Header().Get("Location"), "http://example.com")
			do(http.MethodPatch, loc, "hello", "Content-Type", octets, "Upload-Offset", "0")
			last := do(http.MethodPatch, loc, "world", "Content-Type", octets, "Upload-Offset", "5")
			if last.Code != http.StatusInternalServerError || !strings.HasPrefix(last.Body.String(), "corrupt: ") {
				t.Errorf("the last PATCH: %d %s", last.Code, last.Body)
			}
			if head := do(http.MethodHead, loc, ""); head.Code != http.StatusNotFound {
				t.Errorf("HEAD: %d", head.Code)
			}
			id := tus.ID(strings.TrimPrefix(loc, "/files/"))
			if _, ok := storage.Object(string(id)); ok || len(storage.Pieces(id)) > 0 {
				t.Error("something of it is left")
			}
		})
	}
}

// absent is a storage whose disk is not there for a while: it finds no part.
type absent struct {
	*memstore.Store
	away bool
}

func (s *absent) Concat(ctx context.Context, l tus.Lease, parts []tus.Upload) (tus.Stored, error) {
	if s.away {
		return tus.Stored{}, tus.ErrNotFound
	}
	return s.Store.Concat(ctx, l, parts)
}

func TestAPartThatTheStorageCannotFindCostsNoUpload(t *testing.T) {
	storage := &absent{memstore.New(nil), true}
	h, err := tus.NewHandler(memstate.New(nil), storage, &tus.Options{EnableConcatenation: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	do := asker(h)
	part := do(http.MethodPost, "/files/", "hello", "Upload-Length", "5", "Upload-Concat", "partial", "Content-Type", octets)
	final := do(http.MethodPost, "/files/", "", "Upload-Concat", "final;"+part.Header().Get("Location"))
	if final.Code != http.StatusCreated {
		t.Fatalf("POST: %d %s", final.Code, final.Body)
	}
	loc := strings.TrimPrefix(final.Header().Get("Location"), "http://example.com")
	if head := do(http.MethodHead, loc, ""); head.Code != http.StatusServiceUnavailable {
		t.Errorf("HEAD without the disk: %d", head.Code)
	}
	storage.away = false
	if head := do(http.MethodHead, loc, ""); head.Code != http.StatusOK || head.Header().Get("Upload-Offset") != "5" {
		t.Errorf("HEAD with it: %d %v", head.Code, head.Header())
	}
}
