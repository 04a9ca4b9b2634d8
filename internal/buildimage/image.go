package main

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/ociimage"
)

// user is a number, so that a kubelet sees that it is not root.
const user = "65532:65532"

// build makes the multi-platform image.
func build(ctx context.Context, platforms []v1.Platform) (v1.ImageIndex, error) {
	var images []v1.Image
	for _, p := range platforms {
		t, err := files(ctx, p)
		if err != nil {
			return nil, err
		}
		img, err := makeImage(t, p)
		if err != nil {
			return nil, fmt.Errorf("making the image for %s: %w", p, err)
		}
		images = append(images, img)
	}
	return ociimage.Index(platforms, images), nil
}

// makeImage makes one platform's image. All times in it are 1970, so that equal contents have equal digests.
func makeImage(t ociimage.Tree, p v1.Platform) (v1.Image, error) {
	return ociimage.Make(t, ociimage.Spec{
		Platform: p, Created: time.Unix(0, 0).UTC(), By: "debuggable internal/buildimage",
		Config: v1.Config{
			Entrypoint: []string{"/" + program},
			User:       user,
			WorkingDir: "/",
			Labels: map[string]string{
				"org.opencontainers.image.title":       program,
				"org.opencontainers.image.description": "Makes rendered Kubernetes manifests debuggable, as a KRM function.",
				"org.opencontainers.image.licenses":    "Apache-2.0",
			},
		},
	})
}
