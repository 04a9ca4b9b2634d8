package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"

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
	} else if hint == "" {
		hint = readingHint(args[0])
	}
	return usage.Errorf("unexpected argument %q%s", args[0], hint)
}

// readingHint says how to read manifests from an argument that names a file; "" where it does not.
func readingHint(arg string) string {
	if _, err := os.Stat(arg); err != nil && arg != "-" {
		return ""
	}
	return fmt.Sprintf("; to read manifests from it, say -f %s", arg)
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

// flagError words an error about a flag: it names the one that was meant, and nothing of Go's.
func flagError(cmd *cobra.Command, err error) error {
	unknown, value, number := new(pflag.NotExistError), new(pflag.InvalidValueError), new(strconv.NumError)
	switch {
	case errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1:
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				known = append(known, f.Name)
			}
		})
		if meant := fields.Nearest(unknown.GetSpecifiedName(), known); meant != "" {
			return usage.Errorf("%w, did you mean --%s?", err, meant)
		}
	case errors.As(err, &value) && errors.As(err, &number) && value.GetFlag().Value.Type() == "bool":
		return usage.Errorf("invalid argument %q for \"--%s\" flag: want true or false", value.GetValue(),
			value.GetFlag().Name)
	case errors.As(err, &value) && value.GetFlag().Value.Type() == "duration":
		meant := ""
		if _, err := strconv.Atoi(value.GetValue()); err == nil {
			meant = fmt.Sprintf("; did you mean %ss?", value.GetValue())
		}
		return usage.Errorf("invalid argument %q for \"--%s\" flag: want a time with its unit, like 90s or 10m%s",
			value.GetValue(), value.GetFlag().Name, meant)
	case errors.As(err, &value) && errors.As(err, &number):
		return usage.Errorf("invalid argument %q for \"--%s\" flag: it is not a number", value.GetValue(),
			value.GetFlag().Name)
	}
	return usage.Errorf("%w", err)
}

// addFilename adds the flag by which files and folders with manifests are named.
func addFilename(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVarP(files, "filename", "f", nil,
		"file or folder with manifests at `PATH`, - for standard input; repeatable (default: standard input)")
}
