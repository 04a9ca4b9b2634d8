package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/internal/usage"
	"debuggable.dev/debuggable/transform"
)

// newLock writes down what the images are, so that later runs need nothing but the file.
func newLock(in io.Reader, out, errw io.Writer) *cobra.Command {
	var files []string
	var output, check string
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "Write the image configurations that manifests need into one ImageConfigs resource",
		Long: `lock resolves every image in scope, support images too, and prints one ImageConfigs resource. Later runs read
it with --image-configs, or find it among the manifests, and then need no registry. ImageConfigs resources that are
among the manifests already are not read: lock makes them anew. An image that cannot be resolved makes the exit
status 1, after the others are written.

With --output, the entries of images that cannot be resolved this time stay, and where nothing changed, the file is
not touched. With --check, nothing is written: a line for each entry that is missing, superfluous or different, and
exit status 1.`,
		Example: `  debuggable lock -f k8s/ > images.lock.yaml
  debuggable lock -f k8s/ -o images.lock.yaml
  debuggable lock -f k8s/ --check images.lock.yaml
  kustomize build . | debuggable lock --platform linux/arm64`,
		Args: noArgs,
	}
	flags := functionconfig.AddFlags(cmd.Flags())
	flags.Hide("replicas", "probeTimeout", "memory", "suspend", "supportPullPolicy", "supportDelivery", "listenOn")
	addFilename(cmd, &files)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE`, atomically, instead of standard output")
	cmd.Flags().StringVar(&check, "check", "", "write nothing, compare with `FILE`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if output != "" && check != "" {
			return usage.Errorf("--output and --check exclude each other")
		}
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
		source, err := newSource(cmd.Context(), cfg, nil, files)
		if err != nil {
			return err
		}
		scope := transform.Find(objects(set), cfg)
		found := resolve(cmd.Context(), errw, source, scope, cfg)
		// Here the published ones are asked for as well: what is pinned stays the same, and passes where digests are wanted.
		maps.Copy(found.images, resolveAll(cmd.Context(), errw, image.Pushed(source), found.published))
		support := slices.Concat(found.support, found.published)
		if err := interrupted(cmd.Context()); err != nil {
			return err
		}
		made := newLocked(scope.Images(), support, found.images)
		made.complain(errw, cfg.Offline)
		switch {
		case check != "":
			err = made.check(check, errw)
		case len(made.errs) > 0 && cfg.Strict || len(made.errs) > 0 && len(made.entries) == 0 && output == "":
			fmt.Fprintln(errw, "debuggable: nothing was written, because of the errors above")
		case output != "":
			err = made.update(output, errw)
		default:
			err = made.write(out)
		}
		if err == nil && len(made.errs) > 0 {
			err = errReported
		}
		return err
	}
	return cmd
}

// entry is a resolved image as a lock file holds it.
func entry(want image.Want, c image.Config) image.Entry {
	e := image.Entry{Image: want.Image, Platform: want.Platform, Author: c.Author, Config: c.Config, Files: c.Files.List()}
	if c.Digest.Hex != "" {
		e.Digest = c.Digest.String()
	}
	if c.Platform != nil {
		e.Platform = c.Platform.String()
	}
	return e
}
