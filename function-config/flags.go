package functionconfig

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"debuggable.dev/debuggable/internal/fields"
)

// Flags holds the settings that were given by flags. A value is checked when the flag is parsed, so that a bad one is
// a wrong use of the command line; only files are read later, by Load.
type Flags struct {
	given          map[string][]string // values by the setting's name, all of them valid
	buildArtifacts []string            // files
	set            *pflag.FlagSet
}

// AddFlags adds a flag for each setting that has one, and --build-artifacts, and returns where their values go.
func AddFlags(fs *pflag.FlagSet) *Flags {
	f := &Flags{given: map[string][]string{}, set: fs}
	for _, s := range settings() {
		if s.flag == "" {
			continue
		}
		help := strings.ReplaceAll(s.help, "`", `"`) // pflag takes what is in backquotes for the value's name
		if s.form != "" {
			help += ": " + s.form
		}
		if s.list {
			help += " (repeatable)"
		}
		added := fs.VarPF(&flagValue{flags: f, setting: s}, s.flag, "", help)
		added.Annotations = map[string][]string{groupAnnotation: {string(GroupOf(s.name))}}
		if s.bool {
			added.NoOptDefVal = "true"
		}
	}
	fs.Var(&fileValue{&f.buildArtifacts}, buildArtifactsFlag, strings.ReplaceAll(buildArtifactsHelp, "`", `"`)+
		" (repeatable)")
	fs.Lookup(buildArtifactsFlag).Annotations = map[string][]string{groupAnnotation: {string(Scope)}}
	return f
}

const (
	buildArtifactsFlag = "build-artifacts"
	buildArtifactsHelp = "add an artifact for each build in this file, as `skaffold build --file-output` writes it"
)

// apply overlays c with the flags' values.
func (f *Flags) apply(c *Config) error {
	r := &fields.Reader{}
	for _, s := range settings() {
		if values, ok := f.given[s.name]; ok {
			s.readText(r, c, values, s.name)
		}
	}
	err := r.Err()
	for _, file := range f.buildArtifacts {
		artifacts, fileErr := readBuildArtifacts(file)
		err = errors.Join(err, fileErr)
		// Behind those that the user wrote, which say more and therefore win.
		c.Artifacts = append(c.Artifacts, artifacts...)
	}
	return err
}

// flagValue is the pflag.Value of one setting.
type flagValue struct {
	flags   *Flags
	setting setting
}

// String returns the default, for usage texts.
func (v *flagValue) String() string { return v.setting.defaultText }

// Type names the value in usage texts; "bool" stands for none.
func (v *flagValue) Type() string {
	if v.setting.bool {
		return "bool"
	}
	return v.setting.value
}

func (v *flagValue) Set(text string) error {
	r := &fields.Reader{}
	v.setting.readText(r, &Config{}, []string{text}, "")
	var problems []error
	for _, err := range r.Errs() {
		problem := &fields.Error{}
		if errors.As(err, &problem) {
			err = v.withoutIndex(problem)
		}
		problems = append(problems, err)
	}
	if problems != nil {
		return errors.Join(problems...)
	}
	if v.setting.list {
		v.flags.given[v.setting.name] = append(v.flags.given[v.setting.name], text)
	} else {
		v.flags.given[v.setting.name] = []string{text}
	}
	return nil
}

// withoutIndex drops the list's index from a problem's path: the flag's name is in the message already.
func (v *flagValue) withoutIndex(problem *fields.Error) error {
	path := problem.Path
	if v.setting.list && len(path) >= len("[0]") {
		path = path[len("[0]"):]
		if len(path) > 0 && path[0] == '.' {
			path = path[1:]
		}
	}
	return &fields.Error{Path: path, Problem: problem.Problem}
}

// fileValue collects the names of files.
type fileValue struct{ files *[]string }

func (v *fileValue) String() string { return "" }
func (v *fileValue) Type() string   { return "FILE" }

func (v *fileValue) Set(file string) error {
	if err := checkFilled(file); err != nil {
		return err
	}
	*v.files = append(*v.files, file)
	return nil
}
