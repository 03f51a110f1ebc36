// Command nethttp serves resumable uploads under /files/ with nothing but net/http.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

// router hands everything under /files/ to uploads. A pattern without a method takes them all.
func router(uploads http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/files/", uploads)
	mux.Handle("/files", uploads) // or the mux would answer with a redirect, which upload clients do not follow
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Uploads go to /files/.") })
	return mux
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
