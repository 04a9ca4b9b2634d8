package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/usage"
)

// newExplain says what the reasons of results mean.
func newExplain(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [REASON...]",
		Short: "Say what a result's reason means, and what to do",
		Long: `explain says what the reason of a result means, and what to do about it. Without a reason it lists all of
them. Reasons are in the last line of a report, and in the tags of results.`,
		Example: `  debuggable explain ProgramNotAPath
  debuggable explain`,
		ValidArgs: codes(),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listReasons(out)
			}
			for _, arg := range args {
				entry, found := reason.Lookup(arg)
				if !found {
					return unknownReason(arg)
				}
				if _, err := io.WriteString(out, reasonText(entry)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func listReasons(out io.Writer) error {
	for _, e := range reason.Table() {
		if _, err := fmt.Fprintf(out, "%-22s %-8s %s\n", e.Code, e.Severity, plain(e.Means)); err != nil {
			return err
		}
	}
	return nil
}

// reasonText is a line of the table for people.
func reasonText(e reason.Entry) string {
	return fmt.Sprintf("%s (%s)\n  means       %s\n  what to do  %s\n", e.Code, e.Severity, plain(e.Means), plain(e.Do))
}

func unknownReason(name string) error {
	if meant := fields.Nearest(name, codes()); meant != "" {
		return usage.Errorf("there is no reason %s, did you mean %s?", fields.Quote(name), meant)
	}
	return usage.Errorf("there is no reason %s; `debuggable explain` lists them", fields.Quote(name))
}

func codes() (names []string) {
	for _, e := range reason.Table() {
		names = append(names, string(e.Code))
	}
	return names
}

// plain returns Markdown of the table as text: a link is its words, and the document.
func plain(markdown string) string {
	for {
		before, rest, found := strings.Cut(markdown, "](")
		if !found {
			return markdown
		}
		target, after, _ := strings.Cut(rest, ")")
		at := strings.LastIndex(before, "[")
		markdown = before[:at] + before[at+1:] + " (docs/" + target + ")" + after
	}
}
