package tus_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

func ExampleNewHandler() {
	storage := memstore.New(nil)
	uploads, err := tus.NewHandler(memstate.New(nil), storage, &tus.Options{
		MaxSize: 1 << 30,
		Hooks: tus.Hooks{
			// Who may do what.
			Access: func(_ context.Context, a *tus.Access) error {
				if a.Header.Get("Authorization") != "Bearer secret" {
					return &tus.Rejection{Status: http.StatusUnauthorized, Body: "who are you?\n"}
				}
				return nil
			},
			// Where finished uploads go.
			PreCreate: func(_ context.Context, c *tus.Creation) error {
				c.Key = "inbox/" + string(c.ID)
				return nil
			},
			// What happens then, at least once.
			Event: func(_ context.Context, e tus.Event) error {
				fmt.Println(e.Kind, e.Upload.Length, "bytes")
				return nil
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(uploads) // http.Handle("/files/", uploads) elsewhere
	defer srv.Close()

	send := func(token string) string {
		r, err := http.NewRequest(http.MethodPost, srv.URL+"/files/", strings.NewReader("hello"))
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Upload-Length", "5")
		r.Header.Set("Content-Type", "application/offset+octet-stream")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(strings.TrimSpace(resp.Status + " " + string(body)))
		return resp.Header.Get("Location")
	}
	send("guess")
	id := strings.TrimPrefix(send("secret"), srv.URL+"/files/")
	object, _ := storage.Object("inbox/" + id)
	fmt.Printf("%s\n", object)
	// Output:
	// 401 Unauthorized who are you?
	// created 5 bytes
	// finished 5 bytes
	// 201 Created
	// hello
}

func ExampleHandler_Sweep() {
	uploads, err := tus.NewHandler(memstate.New(nil), memstore.New(nil), &tus.Options{EnableExpiration: true})
	if err != nil {
		log.Fatal(err)
	}
	// From a ticker, a cron job or a scheduled function; in one process or in all.
	report, err := uploads.Sweep(context.Background())
	fmt.Println(report.Expired, report.Failed, err)
	// Output: 0 0 <nil>
}

func ExampleParseMetadata() {
	m, err := tus.ParseMetadata("filename d29ybGQucGRm,is_confidential")
	fmt.Println(m["filename"], len(m), err)
	// Output: world.pdf 2 <nil>
}
