// Command fileloft is the standalone server: fileloft, or fileloft serve, starts it with no configuration at all.
// Everything is a flag and an environment variable; fileloft serve --help lists them.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/fileloft/fileloft/internal/app"
)

func main() { os.Exit(run(os.Args[1:], app.OSEnv(), os.Stdout, os.Stderr)) }

// run is the whole program. It returns the exit status: 0, 1 for an error in the work, 2 for one in the settings.
func run(args []string, env app.Env, stdout, stderr io.Writer) int {
	cmd, err := parse(args, env, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "fileloft:", err)
		return 2
	}
	if cmd == nil { // help was asked for and given
		return 0
	}
	if err := cmd(); err != nil {
		fmt.Fprintln(stderr, "fileloft:", err)
		return 1
	}
	return 0
}
