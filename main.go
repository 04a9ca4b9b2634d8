// Debuggable makes rendered Kubernetes manifests debuggable, offline: it is a KRM function and a filter from standard
// input to standard output. Run it with --help, or see README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"debuggable.dev/debuggable/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // whoever asks twice does not want to wait
	os.Exit(cli.Run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}
