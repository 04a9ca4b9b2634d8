package equivalence

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// builder fills a sandbox with programs.
type builder struct {
	testing.TB
	root string
	real map[string]bool // the paths of real programs
}

// realPrograms are the launchers that are real in the sandbox, and their paths there, on a machine that has them:
// Debian's packages tini, dumb-init, catatonit, runit, gosu, sudo, numactl, busybox-static, coreutils, findutils and
// util-linux. Elsewhere a stub stands for them.
var realPrograms = []struct {
	name  string
	paths []string
}{
	{"tini", []string{"/usr/bin/tini", "/sbin/tini", "/sbin/docker-init"}},
	{"dumb-init", []string{"/usr/bin/dumb-init"}},
	{"catatonit", []string{"/usr/bin/catatonit"}},
	{"chpst", []string{"/usr/bin/chpst"}},
	{"gosu", []string{"/usr/local/bin/gosu"}},
	{"sudo", []string{"/usr/bin/sudo"}},
	{"numactl", []string{"/usr/bin/numactl"}},
	{"busybox", []string{"/bin/busybox"}},
	{"env", []string{"/usr/bin/env"}},
	{"nice", []string{"/usr/bin/nice"}},
	{"nohup", []string{"/usr/bin/nohup"}},
	{"stdbuf", []string{"/usr/bin/stdbuf"}},
	{"timeout", []string{"/usr/bin/timeout"}},
	{"setsid", []string{"/usr/bin/setsid"}},
	{"setpriv", []string{"/usr/bin/setpriv"}},
	{"ionice", []string{"/usr/bin/ionice"}},
	{"taskset", []string{"/usr/bin/taskset"}},
	{"xargs", []string{"/usr/bin/xargs"}},
}

// missing lists the launchers that this machine lacks.
func missing() (names []string) {
	for _, p := range realPrograms {
		if _, err := exec.LookPath(p.name); err != nil {
			names = append(names, p.name)
		}
	}
	return names
}

// shellNames are what /bin/sh can be here.
func shellNames() []string {
	if _, err := exec.LookPath("busybox"); err != nil {
		return []string{"dash", "bash"}
	}
	return []string{"dash", "bash", "busybox"}
}

func (b builder) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("making the sandbox: %v", err)
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// install copies a program, and what it is linked with, to paths of the sandbox; it reports whether the machine has it.
func (b builder) install(name string, paths ...string) bool {
	file, err := exec.LookPath(name)
	if err != nil {
		return false
	}
	for _, p := range paths {
		b.must(copyFile(file, b.root+p))
		b.real[p] = true
	}
	b.libraries(file)
	return true
}

func (b builder) libraries(file string) {
	out, _ := exec.Command("ldd", file).Output() // fails for what is linked statically
	for _, m := range library.FindAllStringSubmatch(string(out), -1) {
		b.must(copyFile(m[1], b.root+m[1]))
	}
}

// shells installs the shells; sh is the one named.
func (b builder) shells(sh string) {
	for _, s := range []string{"dash", "bash"} {
		b.install(s, "/bin/"+s)
	}
	b.install("dash", "/bin/ash")
	if sh == "busybox" {
		b.install(sh, "/bin/ash")
	}
	b.install(sh, "/bin/sh")
}

// programs installs the real launchers and what they want to find.
func (b builder) programs() {
	for _, p := range realPrograms {
		b.install(p.name, p.paths...)
	}
	host, _ := os.Hostname()
	pam := "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession sufficient pam_permit.so\n"
	for file, text := range map[string]string{
		"/etc/passwd":        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
		"/etc/group":         "root:x:0:\napp:x:1000:\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
		"/etc/hosts":         "127.0.0.1 localhost " + host + "\n",
		"/etc/pam.d/sudo":    pam,
		"/etc/pam.d/other":   pam,
		"/proc/self/exe":     "", // gosu looks whether it is setuid
		// Debian's.
		"/etc/sudoers": "Defaults env_reset\nDefaults secure_path=\"" + defaultPath + "\"\nroot ALL=(ALL:ALL) ALL\n",
	} {
		b.must(os.MkdirAll(filepath.Dir(b.root+file), 0o755))
		b.must(os.WriteFile(b.root+file, []byte(text), 0o644))
	}
	b.must(os.Chmod(b.root+"/etc/sudoers", 0o440))
	// What programs load when they run.
	for _, pattern := range []string{"/usr/libexec/coreutils/libstdbuf.so", "/usr/libexec/sudo/*",
		"/lib/*/security/pam_permit.so"} {
		files, err := filepath.Glob(pattern)
		b.must(err)
		files = slices.DeleteFunc(files, func(f string) bool { return !strings.Contains(f, ".so") })
		for _, f := range files {
			b.must(copyFile(f, b.root+f))
			b.libraries(f)
		}
	}
}
