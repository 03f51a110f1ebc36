package backend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/tus"
)

// A cloud opens the storage and the state that belong together. Which clouds a program has is decided when it is built: without
// build tags it has all of them; the tags backend_fs, backend_s3, backend_gcs and backend_azure make a smaller one with none of
// them or with one. Files, SQLite and memory are in every program.
type cloud struct {
	storageName, stateName string // as FILELOFT_STORAGE and FILELOFT_STATE name them

	storage func(ctx context.Context, c app.Config) (tus.Storage, error)
	state   func(ctx context.Context, c app.Config) (tus.State, error)
	// create makes what the state needs and is missing, and says what that is.
	create func(ctx context.Context, env app.Env, c app.Config) (what string, err error)
}

// clouds are those that are linked, by the name of the storage.
var clouds = map[string]cloud{}

func register(c cloud) { clouds[c.storageName] = c }

// stateCloud finds the cloud of a state.
func stateCloud(name string) (cloud, bool) {
	for _, c := range clouds {
		if c.stateName == name {
			return c, true
		}
	}
	return cloud{}, false
}

// missing says that a program was built without what a setting asks for.
func missing(variable, name string, has ...string) error {
	return fmt.Errorf("this program was built without %s; it has %s (%s%s)", name, strings.Join(has, ", "), app.Prefix, variable)
}

func storages() []string { return append([]string{"fs"}, slices.Sorted(maps.Keys(clouds))...) }

func states() []string {
	names := []string{"memory", "sqlite"}
	for _, c := range clouds {
		names = append(names, c.stateName)
	}
	slices.Sort(names)
	return names
}
