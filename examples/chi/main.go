// Command chi serves resumable uploads under /files/ beside the routes of a chi router.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

// router hands everything under /files/ to uploads, whose BasePath is the whole path: chi does not cut it off.
func router(uploads http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Handle("/files/*", uploads)
	r.Handle("/files", uploads)
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Uploads go to /files/.") })
	return r
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	storage, err := filestore.New("data", nil)
	if err != nil {
		return err
	}
	state, err := sqlitestate.Open("data/uploads.db", nil)
	if err != nil {
		return errors.Join(err, storage.Close())
	}
	uploads, err := tus.NewHandler(state, storage, nil)
	if err == nil {
		err = http.ListenAndServe("127.0.0.1:8080", router(uploads))
	}
	return errors.Join(err, state.Close(), storage.Close())
}
