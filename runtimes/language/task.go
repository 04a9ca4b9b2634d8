package language

// Task is a script of a project that one of a language's tools starts by its name: npm start.
type Task struct {
	// Dir is the project's directory, where the script starts; File holds the script.
	Dir, File string
	// Name is the script's, Args what is put behind its text. Before names scripts that run ahead of it, where there are
	// any.
	Name   string
	Args   []string
	Before []string
	// Bin is put in front of PATH.
	Bin string
}

// Task returns what a process starts of a project's scripts, and the language whose tool that is; nil for nothing.
func (p Process) Task() (*Task, *Language) {
	for _, l := range p.Languages {
		if l.Task == nil {
			continue
		}
		if t := l.Task(p); t != nil {
			return t, l
		}
	}
	return nil, nil
}
