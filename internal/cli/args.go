package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/usage"
)

// noArgs refuses positional arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := suggestion(cmd, args)
	if args[0] == "true" || args[0] == "false" {
		hint = "; a switch takes its value behind =, as in --offline=" + args[0]
	} else if _, err := os.Stat(args[0]); hint == "" && (err == nil || args[0] == "-") {
		hint = fmt.Sprintf("; to read manifests from it, say -f %s", args[0])
	}
	return usage.Errorf("unexpected argument %q%s", args[0], hint)
}

// suggestion names the subcommand of cmd that args[0] probably stands for.
func suggestion(cmd *cobra.Command, args []string) string {
	if cmd == nil || len(args) == 0 {
		return ""
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Sprintf("; did you mean %q?", near[0])
	}
	return ""
}

// withMeantFlag adds the flag that was meant to the error of one that is unknown.
func withMeantFlag(cmd *cobra.Command, err error) error {
	unknown, found := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !found {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if meant := fields.Nearest(unknown, known); meant != "" {
		return fmt.Errorf("%w, did you mean --%s?", err, meant)
	}
	return err
}
