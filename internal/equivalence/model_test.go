package equivalence

import (
	"maps"
	"slices"
	"strings"
)

// The part of Kubernetes that decides what a container starts, written from its documentation ("Define a Command and
// Arguments", "Define Dependent Environment Variables") and from what the kubelet's makeEnvironmentVariables and
// expansion package are known to do.

type keyRef struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Optional *bool  `json:"optional,omitempty"`
}

type fieldRef struct {
	FieldPath string `json:"fieldPath"`
}

type valueFrom struct {
	Secret    *keyRef   `json:"secretKeyRef,omitempty"`
	ConfigMap *keyRef   `json:"configMapKeyRef,omitempty"`
	Field     *fieldRef `json:"fieldRef,omitempty"`
}

type envVar struct {
	Name  string     `json:"name"`
	Value string     `json:"value,omitempty"`
	From  *valueFrom `json:"valueFrom,omitempty"`
}

type nameRef struct {
	Name     string `json:"name"`
	Optional *bool  `json:"optional,omitempty"`
}

type envFrom struct {
	Prefix    string   `json:"prefix,omitempty"`
	ConfigMap *nameRef `json:"configMapRef,omitempty"`
	Secret    *nameRef `json:"secretRef,omitempty"`
}

type mountRef struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
}

type portRef struct {
	Name string `json:"name,omitempty"`
	Port int    `json:"containerPort"`
}

type container struct {
	Name       string     `json:"name"`
	Image      string     `json:"image"`
	Command    []string   `json:"command,omitempty"`
	Args       []string   `json:"args,omitempty"`
	WorkingDir string     `json:"workingDir,omitempty"`
	EnvFrom    []envFrom  `json:"envFrom,omitempty"`
	Env        []envVar   `json:"env,omitempty"`
	Ports      []portRef  `json:"ports,omitempty"`
	Mounts     []mountRef `json:"volumeMounts,omitempty"`

	Liveness  *execAction `json:"livenessProbe,omitempty"`
	Lifecycle *lifecycle  `json:"lifecycle,omitempty"`
}

// store is a ConfigMap or Secret in the cluster.
type store struct {
	Kind, Name string
	Data       map[string]string
	InItems    bool // whether the program gets to see it
}

type imageConfig struct {
	Entrypoint, Cmd, Env []string
	WorkingDir, Author   string
	Labels               map[string]string
}

// expand resolves $(NAME), and $$ to $; what is not resolved stays. A dollar sign in front of a byte that is not ASCII
// turns that byte into the character of the same number, since the kubelet takes bytes for runes there.
func expand(s string, env map[string]string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteString("$(")
				i++
				continue
			}
			name := s[i+2 : i+end]
			if v, ok := env[name]; ok {
				b.WriteString(v)
			} else {
				b.WriteString("$(" + name + ")")
			}
			i += end
		default:
			b.WriteByte('$')
			b.WriteRune(rune(s[i+1]))
			i++
		}
	}
	return b.String()
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

var serviceEnv = map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443",
	"DB_SERVICE_HOST": "10.96.0.7"}

// starts works out what the node starts. ok is false for a pod that does not get that far: a Secret is missing.
func starts(c container, img imageConfig, stores []store) (s start, ok bool) {
	find := func(kind, name string) *store {
		i := slices.IndexFunc(stores, func(s store) bool { return s.Kind == kind && s.Name == name })
		if i < 0 {
			return nil
		}
		return &stores[i]
	}
	services := maps.Clone(serviceEnv)
	set := map[string]string{}
	for _, from := range c.EnvFrom {
		var st *store
		ref := from.ConfigMap
		if ref != nil {
			st = find("ConfigMap", ref.Name)
		} else if ref = from.Secret; ref != nil {
			st = find("Secret", ref.Name)
		}
		if st == nil {
			if ref != nil && ref.Optional != nil && *ref.Optional {
				continue
			}
			return s, false
		}
		for k, v := range st.Data {
			set[from.Prefix+k] = v
		}
	}
	resolve := func() map[string]string {
		all := maps.Clone(services)
		maps.Copy(all, set)
		return all
	}
	for _, e := range c.Env {
		value := e.Value
		if value != "" {
			value = expand(value, resolve())
		} else if e.From != nil {
			ref, kind := e.From.Secret, "Secret"
			if ref == nil {
				ref, kind = e.From.ConfigMap, "ConfigMap"
			}
			switch {
			case e.From.Field != nil:
				value = map[string]string{"metadata.name": "pod-0", "status.podIP": "10.1.2.3"}[e.From.Field.FieldPath]
			case ref != nil:
				st := find(kind, ref.Name)
				v, there := "", false
				if st != nil {
					v, there = st.Data[ref.Key]
				}
				if !there {
					if ref.Optional != nil && *ref.Optional {
						continue
					}
					return s, false
				}
				value = v
			}
		}
		delete(services, e.Name)
		set[e.Name] = value
	}
	known := resolve()
	s.env = map[string]string{"PATH": defaultPath, "HOSTNAME": "pod-0"}
	for _, kv := range img.Env {
		k, v, _ := strings.Cut(kv, "=")
		s.env[k] = v
	}
	maps.Copy(s.env, known)
	if _, ok := s.env["HOME"]; !ok {
		s.env["HOME"] = "/root"
	}
	words := func(raw []string) []string {
		var out []string
		for _, w := range raw {
			out = append(out, expand(w, known))
		}
		return out
	}
	command, args := words(c.Command), words(c.Args)
	if len(command) == 0 {
		if len(args) == 0 {
			args = img.Cmd
		}
		command = img.Entrypoint
	}
	s.argv = slices.Concat(command, args)
	if s.dir = c.WorkingDir; s.dir == "" {
		s.dir = img.WorkingDir
	}
	if s.dir == "" {
		s.dir = "/"
	}
	return s, true
}
