package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/fileloft/fileloft/hooks/webhook"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

func ExampleNew() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // openssl rand -base64 32, and whsec_ before it

	// The receiver, a program of one's own.
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || webhook.Verify(r.Header, body, 0, secret) != nil {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		var m webhook.Message
		if err := json.Unmarshal(body, &m); err != nil {
			http.Error(w, "what?", http.StatusBadRequest)
			return
		}
		switch m.Type {
		case webhook.TypePrefix + "pre-create":
			if m.Data.Upload.Metadata["filename"] == "" {
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(webhook.Answer{Reject: &webhook.Reject{Status: 400, Message: "it needs a filename\n"}})
			}
		case webhook.TypePrefix + "finished": // do it in a way that may be done again, or drop ids that were seen
			fmt.Println(m.Data.Upload.Metadata["filename"], "has", m.Data.Upload.Offset, "bytes")
		}
	}))
	defer receiver.Close()

	// The server.
	hooks, err := webhook.New(receiver.URL, &webhook.Options{
		Hooks: []string{"pre-create", "finished"}, Secrets: []string{secret},
	})
	if err != nil {
		log.Fatal(err)
	}
	uploads, err := tus.NewHandler(memstate.New(nil), memstore.New(nil), &tus.Options{Hooks: hooks})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(uploads)
	defer srv.Close()

	// A client.
	send := func(metadata string) string {
		r, err := http.NewRequest(http.MethodPost, srv.URL+"/files/", strings.NewReader("hello"))
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("Upload-Length", "5")
		r.Header.Set("Upload-Metadata", metadata)
		r.Header.Set("Content-Type", "application/offset+octet-stream")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.Status + " " + strings.TrimSpace(string(text))
	}
	fmt.Println(send(""))
	fmt.Println(send("filename YS50eHQ="))
	// Output:
	// 400 Bad Request it needs a filename
	// a.txt has 5 bytes
	// 201 Created
}
