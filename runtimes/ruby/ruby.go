// Package ruby says everything about Ruby: RUBYOPT loads a file of the support image, which opens the debug gem (rdbg).
//
// Source of the options and variables: the README of the debug gem, and ruby(1). Ruby bundles the gem from 3.1 on.
package ruby

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
)

const (
	port      = 12345
	bootstrap = "/dbg/ruby/open.rb"
	// suspending is the file that lets the program wait for a debugger.
	suspending = "/dbg/ruby/wait.rb"
)

// Language returns Ruby.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"ruby"},
		Signs: language.Signs{
			Program:  program,
			Distinct: []string{"bundle", "puma", "rackup", "ruby", "sidekiq", "unicorn"},
			Buildpacks: language.Buildpacks{
				Starts: []string{
					"google.ruby.", "paketo-buildpacks/ruby", "paketo-buildpacks/puma", "paketo-buildpacks/unicorn",
					"paketo-buildpacks/rackup", "paketo-buildpacks/passenger", "paketo-buildpacks/thin", "paketo-buildpacks/rake",
					"heroku/ruby",
				},
				Aids: []string{"google.ruby.runtime", "paketo-buildpacks/mri", "paketo-buildpacks/bundler",
					"paketo-buildpacks/bundle-install"},
			},
			Strong: []string{"RUBY_VERSION"},
			Weak:   []string{"GEM_HOME", "BUNDLE_PATH", "RAILS_ENV", "RACK_ENV"},
		},
		Protocols: []language.Protocol{{Name: "rdbg", Port: port, Client: "rdbg --attach HOST PORT"}},
		Listeners: []language.Listener{{
			Protocol: "rdbg", Started: regexp.MustCompile(`\brdbg\b|debug/open`), Port: port,
			Address: regexp.MustCompile(`(?:--port[= ]|RUBY_DEBUG_PORT=)(\d+)`),
		}},
		Variables:  []string{"RUBYOPT", "RUBY_DEBUG_HOST", "RUBY_DEBUG_PORT"},
		ByVariable: true,
		Plan:       planned,
		Editor:     inEditors(),
		Doc: language.Doc{
			Programs: "`" + strings.Join(programs(), "` `") + "`, `ruby3.N`, `*.rb`",
			Rewrite: "`RUBYOPT` gets `-r" + bootstrap +
				"`, which opens the `debug` gem on `RUBY_DEBUG_HOST` and `RUBY_DEBUG_PORT`",
			Support: "a file that finds the gem past Bundler",
		},
	}
}

func programs() []string {
	return []string{"ruby", "bundle", "rails", "rake", "puma", "unicorn", "sidekiq", "rackup", "functions-framework-ruby",
		"rdbg"}
}

var versioned = regexp.MustCompile(`^ruby\d+(\.\d+)*$`)

// program returns the program's name where it is one of Ruby's. JRuby's are the JVM's.
func program(p language.Process) string {
	name := language.ProgramName(p.Argv[0])
	if _, jruby := p.ImageEnv["JRUBY_VERSION"]; jruby {
		return ""
	}
	if slices.Contains(programs(), name) || versioned.MatchString(name) || strings.HasSuffix(name, ".rb") {
		return name
	}
	return ""
}

// planned is plan, and what is known of the server.
func planned(p language.Process, o language.Options) (language.Plan, error) {
	plan, err := plan(p, o)
	// Source: timeout in Unicorn's Configurator, and murder_lazy_workers in its http_server.rb.
	if len(p.Argv) > 0 && language.ProgramName(p.Argv[0]) == "unicorn" {
		plan.Impatient = "Unicorn ends a worker that does not answer for 60 s, as at a breakpoint, unless its " +
			"configuration file " +
			"says otherwise: raise the timeout there for the time"
	}
	return plan, err
}

// plan lets RUBYOPT load the support image's file, in whatever Ruby program comes first to the port.
func plan(p language.Process, o language.Options) (language.Plan, error) {
	if plan, found := existing(p); found {
		return plan, nil
	}
	if o.Published {
		return language.Plan{}, reason.Refuse(reason.SupportImageMissing,
			"no support image is published for Ruby: build this project's with make push, and name them with --support-registry")
	}
	if version := p.Env["RUBY_VERSION"]; tooOld(version) {
		return language.Plan{}, reason.Refuse(reason.RuntimeTooOld,
			"Ruby %s does not bundle the debug gem, as 3.1 and later do", version)
	}
	number, err := language.FreePort(o, port)
	if err != nil {
		return language.Plan{}, err
	}
	if p.Disturbed("ruby", o) {
		return language.Plan{}, reason.Refuse(reason.EnvShared,
			"a probe, a hook or the script starts another program, which may be Ruby: it would get the same debugger, and "+
				"take its port or wait for a client")
	}
	if err := p.Managed(); err != nil {
		return language.Plan{}, err
	}
	file := bootstrap
	if o.Suspend {
		file = suspending
	}
	return language.Plan{
		Env: []language.EnvChange{
			{Name: "RUBYOPT", Value: "-r" + file, How: language.Append, Sep: " "},
			{Name: "RUBY_DEBUG_HOST", Value: o.Host("0.0.0.0"), How: language.Replace},
			{Name: "RUBY_DEBUG_PORT", Value: strconv.Itoa(int(number)), How: language.Replace},
		},
		Ports:   []language.Port{{Protocol: "rdbg", Number: number}},
		Support: true,
		Memory:  20,
		Storage: 16,
	}, nil
}

// tooOld reports whether a version of Ruby is known to be older than 3.1.
func tooOld(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major < 3 || major == 3 && minor < 1)
}

// existing looks for rdbg as the program, and for the gem among what Ruby is told to load.
func existing(p language.Process) (language.Plan, bool) {
	address := p.Env["RUBY_DEBUG_PORT"]
	if p.Unknown["RUBY_DEBUG_PORT"] {
		address = "$RUBY_DEBUG_PORT" // known at run time only
	}
	var words []string
	if options := p.Env["RUBYOPT"]; strings.Contains(options, "debug/open") { // or it is not taken apart: it may be long
		words = strings.Fields(options)
	}
	found := false
	if len(p.Argv) > 0 && !p.Script {
		args := language.LeadingOptions(p.Argv[1:], valueOptions)
		words = append(words, args...)
		if language.ProgramName(p.Argv[0]) == "rdbg" {
			found = true
			if value, given := language.OptionValue(args, "--port"); given {
				address = value
			}
		}
	}
	for i, w := range words {
		if w == "-r" && i+1 < len(words) {
			w += words[i+1]
		}
		found = found || strings.HasPrefix(w, "-rdebug/open")
	}
	if !found {
		return language.Plan{}, false
	}
	if address == "" {
		return language.Plan{Existing: true}, true // it listens on a Unix socket
	}
	return language.Plan{Existing: true, Ports: language.Listening("rdbg", address, port)}, true
}

// valueOptions take the next word as their value: those of ruby, and of rdbg.
var valueOptions = []string{"-r", "-I", "-e", "-C", "-E", "--port", "--host", "--sock-path", "-x", "--init-script",
	"--session-name", "--cookie"}
