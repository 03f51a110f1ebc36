// Command echo serves resumable uploads under /files/ beside the routes of an echo router.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

// router hands everything under /files/ to uploads.
func router(uploads http.Handler) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover())
	e.Any("/files/*", echo.WrapHandler(uploads))
	e.Any("/files", echo.WrapHandler(uploads))
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "Uploads go to /files/.") })
	return e
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
