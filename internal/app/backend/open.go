package backend

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/storage/filestore"
	"github.com/fileloft/fileloft/tus"
)

func openStorage(ctx context.Context, c app.Config, dir string) (tus.Storage, error) {
	if c.Storage == "fs" {
		verify := map[string]filestore.Verify{"on": filestore.VerifyAlways, "off": filestore.VerifyNever}[c.FSVerify]
		return filestore.New(dir, &filestore.Options{NoSync: !c.FSSync, Verify: verify})
	}
	if cloud, ok := clouds[c.Storage]; ok {
		return cloud.storage(ctx, c)
	}
	return nil, missing("STORAGE", c.Storage, storages()...)
}

func openState(ctx context.Context, c app.Config, dir string) (tus.State, error) {
	switch name := c.StateName(); name {
	case "memory":
		return memstate.New(nil), nil
	case "sqlite":
		return openSQLite(c, dir)
	default:
		if cloud, ok := stateCloud(name); ok {
			return cloud.state(ctx, c)
		}
		return nil, missing("STATE", name, states()...)
	}
}

func openSQLite(c app.Config, dir string) (*sqlitestate.Store, error) {
	file := c.SQLiteFile
	if file == "" {
		file = filepath.Join(dir, "fileloft.db")
		if err := os.MkdirAll(dir, 0o750); err != nil { // the storage may be elsewhere
			return nil, err
		}
	}
	opt := &sqlitestate.Options{Sync: sqlitestate.Full}
	if !c.FSSync {
		opt.Sync = sqlitestate.Normal // as fast as Off, and the file stays sound in a power cut
	}
	return sqlitestate.Open(file, opt)
}

// InitState makes what the state needs and is missing, and says what that is. It can be repeated. Env is what
// a cloud's own libraries go by, beside c.
func InitState(ctx context.Context, env app.Env, c app.Config, dir string) (what string, err error) {
	switch name := c.StateName(); name {
	case "memory":
		what = "nothing: the state is kept in memory"
	case "sqlite":
		var s *sqlitestate.Store
		if s, err = openSQLite(c, dir); err == nil {
			err = s.Close()
		}
		what = "a database file"
	default:
		if cloud, ok := stateCloud(name); ok {
			what, err = cloud.create(ctx, env, c)
		} else {
			err = missing("STATE", name, states()...)
		}
	}
	if err != nil {
		return "", fmt.Errorf("make the state (%sSTATE=%s): %w", app.Prefix, c.StateName(), err)
	}
	return what, nil
}
