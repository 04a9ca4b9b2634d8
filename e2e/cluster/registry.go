package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry is a container registry on loopback, over plain http, which clients take for granted there. It lasts as long
// as the process.
type Registry struct {
	// Host is its address: 127.0.0.1:PORT, at which programs that run online reach it, too.
	Host string
}

// NewRegistry starts a registry that keeps what is pushed in a folder.
func NewRegistry(dir string) (*Registry, error) {
	blobs := filepath.Join(dir, "registry")
	if err := os.Mkdir(blobs, 0o755); err != nil {
		return nil, fmt.Errorf("starting a registry: %w", err)
	}
	var online, here net.Listener
	err := Online(func() (err error) {
		online, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("starting a registry: %w", err)
	}
	r := &Registry{Host: online.Addr().String()}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)))
	go http.Serve(online, handler) //nolint:errcheck // it ends with the process
	if Dir() != "" {
		// The network of isolated tests is empty, so the port is free there.
		if here, err = net.Listen("tcp", r.Host); err != nil {
			return nil, fmt.Errorf("starting a registry: %w", err)
		}
		go http.Serve(here, handler) //nolint:errcheck // it ends with the process
	}
	return r, nil
}

// Push pushes an image as REPOSITORY:1 and returns its full reference.
func (r *Registry) Push(ctx context.Context, repository string, image v1.Image) (string, error) {
	ref, err := name.ParseReference(r.Host + "/" + repository + ":1")
	if err != nil {
		return "", err
	}
	if err := remote.Write(ref, image, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("pushing %s: %w", ref, err)
	}
	return ref.String(), nil
}
