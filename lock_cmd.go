package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/transform"
)

// newLock writes down what the images are, so that later runs need nothing but the file.
func newLock(in io.Reader, out, errw io.Writer) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "Write the image configurations that manifests need into one ImageConfigs resource",
		Long: `lock resolves every image in scope and prints one ImageConfigs resource. Later runs read it with --image-configs, or find it
among the manifests, and then need no registry. ImageConfigs resources that are among the manifests already are not read:
lock makes them anew.`,
		Example: `  debuggable lock -f k8s/ > images.lock.yaml
  kustomize build . | debuggable lock --platform linux/arm64`,
		Args: noArgs,
	}
	flags := functionconfig.AddFlags(cmd.Flags())
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file or folder with manifests at `PATH`, - for standard input; repeatable (default: standard input)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(files) == 0 && terminal.Is(in) {
			return cmd.Help()
		}
		set, err := readManifests(cmd.Context(), files, in)
		if err != nil {
			return err
		}
		cfg, err := functionconfig.Load(set.FunctionConfig, flags)
		if err != nil {
			return fmt.Errorf("reading settings: %w", err)
		}
		source, err := newSource(cmd.Context(), cfg, nil)
		if err != nil {
			return err
		}
		scope := transform.Find(objects(set), cfg)
		resolved, support := resolve(cmd.Context(), source, scope)
		if err := interrupted(cmd.Context()); err != nil {
			return err
		}
		wants := scope.Images()
		var entries []image.Entry
		failed := false
		for _, want := range slices.Concat(wants, support) {
			r := resolved[want]
			if r.Err != nil && slices.Contains(support, want) {
				continue // a support image that cannot be asked is taken for an ordinary one
			}
			if r.Err != nil {
				failed = true
				complain(errw, r.Err)
				continue
			}
			entries = append(entries, entry(want, r.Config))
		}
		if failed && (cfg.Strict || len(entries) == 0) {
			fmt.Fprintln(errw, "debuggable: nothing was written, because of the errors above")
			return errReported
		}
		data, err := image.MarshalImageConfigs("image-configs", entries)
		if err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	}
	return cmd
}

// entry is a resolved image as a lock file holds it.
func entry(want image.Want, c image.Config) image.Entry {
	e := image.Entry{Image: want.Image, Platform: want.Platform, Author: c.Author, Config: c.Config}
	if c.Digest.Hex != "" {
		e.Digest = c.Digest.String()
	}
	if c.Platform != nil {
		e.Platform = c.Platform.String()
	}
	return e
}
