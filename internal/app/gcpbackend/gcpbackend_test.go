package gcpbackend

import (
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/app"
)

// A developer's machine may well have credentials: with an emulator none of them may be used, nor Google be reached.
func TestAnEmulatorNeedsNoIndexes(t *testing.T) {
	// Whoever asked for credentials would be told that this file is missing.
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/credentials.json")
	env := app.Env{"FIRESTORE_EMULATOR_HOST=127.0.0.1:1"}
	c := app.Config{FirestoreProject: "p", FirestoreDatabase: "(default)", FirestoreCollection: "fileloft"}
	what, err := CreateState(t.Context(), env, c)
	if err != nil || !strings.Contains(what, "127.0.0.1:1 needs no indexes") {
		t.Errorf("%q, %v", what, err)
	}
	if what, err := CreateState(t.Context(), nil, c); err == nil || what != "" {
		t.Errorf("without an emulator and without credentials: %q, %v", what, err)
	}
	c.FirestoreProject = ""
	if _, err := CreateState(t.Context(), nil, c); err == nil || !strings.Contains(err.Error(), "FILELOFT_FIRESTORE_PROJECT must name") {
		t.Errorf("without a project: %v", err)
	}
}
