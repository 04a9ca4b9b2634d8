// Command buildimage makes the image of the function without a container engine: a static binary and the certificates
// of the public certification authorities, on scratch, run as a user without rights.
//
//	go run ./internal/buildimage -o dist/image           an OCI layout in dist/image, for linux/amd64 and linux/arm64
//	go run ./internal/buildimage -o dist/image -push REF and pushes it to REF
//	go run ./internal/buildimage -rootfs DIR -platform linux/arm64
//	                                                     only the files of one platform's image, for the Dockerfile
//
// The same sources and the same Go toolchain give the same bytes. The binary is built with the tag nowatch: a function
// has no use for a Kubernetes client.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"debuggable.dev/debuggable/internal/ociimage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "buildimage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("buildimage", flag.ContinueOnError)
	layout := flags.String("o", "", "`folder` for the OCI layout")
	rootfs := flags.String("rootfs", "", "`folder` for the files of the first platform's image, instead of a layout")
	platforms := flags.String("platform", "linux/amd64,linux/arm64", "comma-separated `platforms`")
	push := flags.String("push", "", "also push to this `reference`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if (*layout == "") == (*rootfs == "") {
		return fmt.Errorf("one of -o and -rootfs is needed")
	}
	var wanted []v1.Platform
	for _, s := range strings.Split(*platforms, ",") {
		p, err := v1.ParsePlatform(s)
		if err != nil {
			return fmt.Errorf("-platform %q: %w", s, err)
		}
		if p.OS == "" || p.Architecture == "" {
			return fmt.Errorf("-platform %q: want os/architecture", s)
		}
		wanted = append(wanted, *p)
	}
	if *rootfs != "" {
		t, err := files(ctx, wanted[0])
		if err != nil {
			return err
		}
		return write(t, *rootfs)
	}
	index, err := build(ctx, wanted)
	if err != nil {
		return err
	}
	if err := ociimage.WriteLayout(*layout, index, program+":latest"); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s  %s (%s)\n", digest, *layout, *platforms)
	if *push == "" {
		return nil
	}
	ref, err := name.ParseReference(*push)
	if err != nil {
		return fmt.Errorf("-push: %w", err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("pushing %s: %w", ref, err)
	}
	fmt.Fprintf(out, "pushed %s\n", ref)
	return nil
}
