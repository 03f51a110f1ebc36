// Command fileloft-gcf is package gcf as a program: on a developer's machine, and in a container on Cloud Run.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/fileloft/fileloft/functions/gcf"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := gcf.Run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fileloft:", err)
		os.Exit(1)
	}
}
