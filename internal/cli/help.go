package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/terminal"
)

// documentation is where the documentation is.
const documentation = "https://debuggable.dev/debuggable, folder docs"

// usageText is what a command's help has below its description: flags in groups, and at the end what the exit statuses
// mean.
func usageText(cmd *cobra.Command) error {
	out := cmd.OutOrStderr()
	fmt.Fprintln(out, "Usage:")
	if cmd.Runnable() {
		fmt.Fprintln(out, " ", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(out, " ", cmd.CommandPath(), "COMMAND")
	}
	if cmd.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(out, "\nCommands:")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(out, "  %-*s  %s\n", c.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	flagsText(out, cmd)
	fmt.Fprintf(out, "\nExit status:\n  %s\n", strings.Join(exitStatuses(cmd), "\n  "))
	if cmd.HasAvailableSubCommands() {
		const more = "\n\"%s COMMAND --help\" says more about a command, \"%[1]s explain REASON\" about a result.\n"
		fmt.Fprintf(out, more, cmd.CommandPath())
	}
	fmt.Fprintf(out, "Documentation: %s\n", documentation)
	return nil
}

// flagsText tells a command's flags by group; those that belong to the command alone come first.
func flagsText(out io.Writer, cmd *cobra.Command) {
	width := terminal.Width(out)
	if width == 0 {
		width = 120
	}
	for _, group := range append([]functionconfig.Group{""}, functionconfig.Groups()...) {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if functionconfig.GroupOfFlag(f.Annotations) == group {
				flags.AddFlag(f)
			}
		})
		if !flags.HasAvailableFlags() {
			continue
		}
		title := string(group)
		if group == "" {
			title = "Flags"
		}
		fmt.Fprintf(out, "\n%s:\n%s", title, flags.FlagUsagesWrapped(width))
	}
}

// exitStatuses says what the exit statuses of a command mean.
func exitStatuses(cmd *cobra.Command) []string {
	failed := "1  an error: of an input, a setting or the surroundings"
	switch cmd.Name() {
	case cmd.Root().Name():
		failed = "1  at least one result is an error, or input or settings cannot be used; nothing is written then"
	case "lock":
		failed = "1  an image cannot be resolved, or with --check the file is not as it should be"
	case "inspect":
		failed = "1  an image cannot be resolved"
	}
	return []string{"0  done, perhaps with warnings", failed, "2  the command line makes no sense"}
}
