// Command gin serves resumable uploads under /files/ beside the routes of a gin router.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

// router hands everything under /files/ to uploads.
func router(uploads http.Handler) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.Recovery())
	r.RedirectTrailingSlash = false // upload clients do not follow redirects
	r.Any("/files/*id", gin.WrapH(uploads))
	r.Any("/files", gin.WrapH(uploads))
	r.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "Uploads go to /files/.") })
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
