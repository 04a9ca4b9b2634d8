package functionconfig

import (
	"reflect"
	"strings"
)

// TooLate lists, for messages, the settings that are not the defaults and have no effect on a container that is
// configured already: how its debugger starts was decided in an earlier run.
func (c Config) TooLate() string {
	d, value := reflect.ValueOf(Default()), reflect.ValueOf(c)
	var names []string
	for _, s := range settings() {
		field := strings.ToUpper(s.name[:1]) + s.name[1:]
		if !decidedOnce(s.name) || !value.FieldByName(field).IsValid() {
			continue
		}
		if now := value.FieldByName(field); !(now.Kind() == reflect.Slice && now.Len() == 0) &&
			!reflect.DeepEqual(now.Interface(), d.FieldByName(field).Interface()) {
			name, _, _ := strings.Cut(c.Surface(s.name), " ")
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// decidedOnce reports whether a setting is about how a debugger starts. Where images come from, and what becomes of
// probes and replicas, counts in each run.
func decidedOnce(name string) bool {
	return GroupOf(name) == Debuggers || name == "runtimes" || name == "memory"
}
