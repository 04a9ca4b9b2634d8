package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-delve/delve/cmd/dlv/cmds"
	"github.com/spf13/cobra"
)

func TestAdaptChangesTheDefaults(t *testing.T) {
	root := cmds.New(false)
	if err := adapt(root); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"only-same-user", "check-go-version"} {
		got, err := root.PersistentFlags().GetBool(name)
		if err != nil {
			t.Fatal(err)
		}
		if got {
			t.Errorf("--%s defaults to true", name)
		}
	}
	// A user who asks for the stock behaviour still gets it.
	if err := root.PersistentFlags().Parse([]string{"--only-same-user"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := root.PersistentFlags().GetBool("only-same-user"); !got {
		t.Error("--only-same-user on the command line is not honoured")
	}
}

func TestExecLooksOnPath(t *testing.T) {
	dir, cwd := t.TempDir(), t.TempDir()
	for _, f := range []string{filepath.Join(dir, "app"), filepath.Join(cwd, "app"), filepath.Join(cwd, "local")} {
		if err := os.WriteFile(f, []byte("#!/bin/true\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Chdir(cwd)
	for arg, want := range map[string]string{
		"app":    filepath.Join(dir, "app"),
		"./app":  "./app",
		"/x/app": "/x/app",
		"local":  "local", // not on PATH: stock Delve's own rule
		"":       "",
	} {
		root := cmds.New(false)
		execCmd, _, err := root.Find([]string{"exec"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		execCmd.Run = func(_ *cobra.Command, args []string) { got = args }
		if err := adapt(root); err != nil {
			t.Fatal(err)
		}
		root.SetArgs([]string{"exec", arg, "--", "-x", "exec"})
		if err := root.Execute(); err != nil {
			t.Fatalf("exec %q: %v", arg, err)
		}
		if len(got) != 3 || got[0] != want || got[1] != "-x" || got[2] != "exec" {
			t.Errorf("exec %q ran %q, want first %q", arg, got, want)
		}
	}
}
