package debuggers

import "testing"

// TestLaunchers attaches to Python behind programs that start it, and to what executes itself once more. It has no part
// in the table of the documentation, which is about runtimes.
func TestLaunchers(t *testing.T) {
	image := launchersImage(t)
	for _, a := range launcherCases() {
		t.Run(a.name, func(t *testing.T) { attachTo(t, "python", image, a) })
	}
}

// launchersImage holds programs that start Python programs, and such as start themselves once more, beside the
// application of pythonImage.
func launchersImage(t *testing.T) string { return shared.image(t, "launchers", makeLaunchersImage) }

func makeLaunchersImage(t *testing.T) string {
	r, version := pythonRootfs(t, "requirements.txt", "requirements-launchers.txt")
	for name, main := range map[string]string{
		"ddtrace-run": "ddtrace.commands.ddtrace_run:main", "newrelic-admin": "newrelic.admin:main",
		"dotenv": "dotenv.__main__:cli", "pdm": "pdm.core:main",
	} {
		r.consoleScript(name, main)
	}
	for _, name := range []string{"again.py", "reloads.py"} {
		r.text("/app/"+name, source(t, name), 0o644)
	}
	r.text("/app/.env", "FROM_FILE=yes\n", 0o644)

	// As `bazel build` lays out a py_binary.
	r.text("/srv/server", source(t, "stub.py"), 0o755)
	r.text("/srv/server.runfiles/_main/app.py", source(t, "app.py"), 0o644)
	r.link("/srv/server.runfiles/python/bin/python3", "/usr/bin/python"+version)

	// As `pdm install` leaves a project.
	r.text("/app/pyproject.toml", "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.8\"\n"+
		"dependencies = []\n", 0o644)
	r.text("/app/.pdm-python", "/app/.venv/bin/python", 0o644)
	r.text("/app/.venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = true\nversion = "+version+"\n", 0o644)
	for _, name := range []string{"python", "python3", "python" + version} {
		r.link("/app/.venv/bin/"+name, "/usr/bin/python"+version)
	}
	return r.push("launchers",
		pythonConfig(version, "NEW_RELIC_DEVELOPER_MODE=true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED=false"))
}

// launcherCases are programs that execute Python. Those that debuggable follows have the debugger behind them; in the
// others, the debugger has to outlast that Python executes Python.
func launcherCases() []attachment {
	bazel := attachDebugpyTo("/srv/server.runfiles/_main/app.py", "app.py")
	cases := []attachment{
		{name: "ddtrace-run", command: "command: [ddtrace-run, python3, app.py]", attach: attachDebugpy("app.py")},
		{name: "ddtrace-script", command: "command: [python3, /usr/local/bin/ddtrace-run, python3, app.py]",
			attach: attachDebugpy("app.py")},
		{name: "ddtrace-gunicorn", command: "command: [ddtrace-run, gunicorn, --bind=0.0.0.0:8080, 'web:app']",
			attach: attachDebugpyChild("web.py")},
		{name: "newrelic-admin", command: "command: [newrelic-admin, run-program, python3, app.py]",
			attach: attachDebugpy("app.py")},
		{name: "dotenv", command: "command: [dotenv, run, --, python3, app.py]", attach: attachDebugpy("app.py")},
		{name: "dotenv-module", command: "command: [python3, -m, dotenv, run, --, python3, app.py]",
			attach: attachDebugpy("app.py")},
		{name: "pdm", command: "command: [pdm, run, python, app.py]", attach: attachDebugpy("app.py")},
		{name: "pdm-gunicorn", command: "command: [pdm, run, gunicorn, --bind=0.0.0.0:8080, 'web:app']",
			attach: attachDebugpyChild("web.py")},
		{name: "bazel", command: "command: [/srv/server, one]", attach: bazel},
		{name: "bazel-python", command: "command: [python3, /srv/server, one]", attach: bazel},
		{name: "tornado", command: "command: [python3, -m, tornado.autoreload, reloads.py]",
			attach: attachDebugpy("reloads.py")},
		{name: "tornado-script", command: "command: [python3, reloads.py]", attach: attachDebugpy("reloads.py")},
		{name: "execv", command: "command: [python3, again.py]", attach: attachDebugpy("app.py")},
	}
	for i := range cases {
		// They work for seconds before they start the application, and on a busy machine, what requests nothing gets next to
		// nothing.
		cases[i].command += "\nresources: {requests: {cpu: 500m}}"
	}
	return cases
}
