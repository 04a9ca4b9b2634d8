package language

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Switch is a way by which a program starts its own debugger. A second one would take its port, or keep the
// process from starting.
type Switch struct {
	// Programs are the names that it goes for; nil: any program that is no interpreter itself.
	Programs []string
	// Beside is a variable that shows the program to be one of those by another name.
	Beside string
	// Words are those that turn it on; where says where they stand among the arguments.
	Words []string
	Where int
	// Port says what the words carry: the next word, or what follows "=", may be an address.
	Port bool
	// On is a variable that turns it on when it has one of the values; nil: any but the empty one.
	On     string
	Values []string
	// Off are words that turn off a switch that is on by default.
	Off []string
	// Addresses are the variables, and options with "=", that name the port; the first that is set counts.
	Addresses []string
	// Interpreter says that it goes for the interpreter itself, too: what stands in front of it adds the debugger.
	Interpreter bool
	// ByDefault is the port when nothing names one.
	ByDefault int32
}

// Where a switch's word stands.
const (
	Anywhere = iota
	First    // it is the first argument
)

// Switches are those by which programs of a language start its debugger.
type Switches struct {
	Protocol    string
	Interpreter string         // the program that runs the language's own
	Address     *regexp.Regexp // finds the address in the debugger's own options; nil: they are not looked for
	Table       []Switch
}

// used reports whether a process uses the switch, and the port that it names.
func (s Switch) used(p Process, in Switches) (address string, used bool) {
	if !s.belongsTo(p, in.Interpreter) {
		return "", false
	}
	args := p.Argv[1:]
	if slices.ContainsFunc(s.Off, func(w string) bool { return slices.Contains(args, w) }) {
		return "", false
	}
	switch {
	case s.On != "":
		v, set := p.Env[s.On]
		used = v != "" || !set && p.Unknown[s.On]
		if s.Values != nil {
			used = slices.Contains(s.Values, v)
		}
	case s.Words == nil:
		used = true
	default:
		address, used = s.word(args)
	}
	if address == "" && used {
		address = s.named(p, in.Address)
	}
	return address, used
}

// belongsTo reports whether a process is one that the switch goes for.
func (s Switch) belongsTo(p Process, interpreter string) bool {
	if len(p.Argv) == 0 {
		return false
	}
	name := strings.TrimSuffix(ProgramName(p.Argv[0]), ".js")
	if _, is := p.Env[s.Beside]; is && s.Beside != "" && name != interpreter {
		return true
	}
	if s.Programs != nil {
		return slices.Contains(s.Programs, name)
	}
	return name != interpreter || s.Interpreter
}

// word looks for the switch among the arguments; the address is what follows it.
func (s Switch) word(args []string) (address string, used bool) {
	for i, w := range args {
		if w == "--" || s.Where == First && i > 0 {
			break
		}
		name, value, _ := strings.Cut(w, "=")
		switch {
		case slices.Contains(s.Words, w):
		case strings.HasPrefix(name, "--") && slices.Contains(s.Words, name):
			address = value
		default:
			continue
		}
		if s.Port && address == "" && i+1 < len(args) && addressWord.MatchString(args[i+1]) {
			address = args[i+1]
		}
		used = true
	}
	return address, used
}

// addressWord matches what a switch may take for its port.
var addressWord = regexp.MustCompile(`^(\S*:)?\d+$|\$`)

// named is the address that the variables and options name.
func (s Switch) named(p Process, own *regexp.Regexp) string {
	for _, name := range s.Addresses {
		value := p.Env[name]
		if strings.HasPrefix(name, "-") {
			value, _ = OptionValue(p.Argv[1:], name)
		}
		if own != nil {
			if m := own.FindStringSubmatch(value); m != nil {
				return m[1]
			}
		}
		if value != "" && !strings.HasPrefix(value, "-") {
			return value
		}
		if p.Unknown[name] {
			return "$" + name // known at run time only
		}
	}
	return ""
}

// Plan returns the plan for a process that starts its own debugger by a switch.
func (t Switches) Plan(p Process) (Plan, bool) {
	for len(p.Argv) > 0 {
		if plan, used := t.used(p); used {
			return plan, true
		}
		if isShell(p.Argv[0]) {
			return t.inScript(p)
		}
		if p.BehindLauncher() == "" {
			break
		}
		p.Argv = p.Argv[1:] // what a launcher that is not known starts
	}
	return Plan{}, false
}

// used returns the plan for a process that uses one of the switches.
func (t Switches) used(p Process) (Plan, bool) {
	for _, s := range t.Table {
		if address, used := s.used(p, t); used {
			return Plan{Existing: true, Ports: Listening(t.Protocol, address, s.ByDefault)}, true
		}
	}
	return Plan{}, false
}

// most is how many words of a command a switch is looked for in, where it is not known where the command ends.
const most = 16

// inScript looks for switches in the script of a shell that a launcher starts that is not known, and in its parameters.
func (t Switches) inScript(p Process) (Plan, bool) {
	q := p
	if q.Env = maps.Clone(p.Env); q.Env == nil {
		q.Env = map[string]string{}
	}
	for _, script := range p.Argv[1:] {
		words := scriptWords(script)
		if len(words) < 2 {
			continue
		}
		for i, w := range words {
			if name, value, assigns := strings.Cut(w, "="); assigns && name != "" && !strings.HasPrefix(w, "-") {
				q.Env[name] = value
				continue
			}
			if strings.HasPrefix(w, "-") {
				continue
			}
			q.Argv = words[i:min(i+most, len(words))]
			if plan, used := t.used(q); used {
				return plan, true
			}
		}
	}
	for i := range p.Argv { // the script may start its parameters: "$@"
		q.Argv = p.Argv[i:min(i+most, len(p.Argv))]
		if plan, used := t.used(q); used {
			return plan, true
		}
	}
	return Plan{}, false
}

// Starts reports whether a command that runs beside a process starts a debugger by a switch.
func (t Switches) Starts(c Command, p Process) bool {
	return slices.ContainsFunc(append(slices.Clone(c.Starts), c.Argv), func(argv []string) bool {
		_, found := t.Plan(Process{Argv: argv, Env: p.Env, Languages: p.Languages})
		return found
	})
}
