package sqlitestate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/tus"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "sqlitestate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	st, err := sqlitestate.Open(filepath.Join(dir, "state.db"), nil) // nil: survives a loss of power
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()

	ctx := context.Background()
	u := tus.Upload{ID: "a1", Birth: "b1", Length: 3}
	if _, err := st.Create(ctx, u, tus.Claim{Nonce: tus.NewNonce()}); err != nil {
		fmt.Println(err)
		return
	}
	for u, err := range st.List(ctx, "") {
		fmt.Println(u.ID, u.Offset, "of", u.Length, err)
	}
	// Output: a1 0 of 3 <nil>
}
