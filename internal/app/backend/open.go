package backend

import (
	"errors"
	"path/filepath"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

func openStorage(c app.Config, dir string) (tus.Storage, error) {
	if c.Storage != "fs" {
		return nil, errors.New("this program has no such storage")
	}
	verify := map[string]filestore.Verify{"on": filestore.VerifyAlways, "off": filestore.VerifyNever}[c.FSVerify]
	return filestore.New(dir, &filestore.Options{NoSync: !c.FSSync, Verify: verify})
}

func openState(c app.Config, dir string) (tus.State, error) {
	switch c.State {
	case "memory":
		return memstate.New(nil), nil
	case "sqlite":
		file := c.SQLiteFile
		if file == "" {
			file = filepath.Join(dir, "fileloft.db")
		}
		opt := &sqlitestate.Options{Sync: sqlitestate.Full}
		if !c.FSSync {
			opt.Sync = sqlitestate.Normal // as fast as Off, and the file stays sound in a power cut
		}
		return sqlitestate.Open(file, opt)
	}
	return nil, errors.New("this program has no such state")
}
