// Package grammar holds the grammar of Node's command line. Programs of the support image use it, so it imports
// nothing.
package grammar

// TakesValue reports whether an option without "=" takes the next word as its value: the options of Node 18 to 25
// that `node --help` shows with a value.
func TakesValue(name string) bool {
	switch name {
	case "-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions",
		"-e", "--eval", "-p", "--print", "-pe", "--run", "--input-type", "--title",
		"--env-file", "--env-file-if-exists", "--inspect-port", "--debug-port", "--inspect-publish-uid",
		"--allow-fs-read", "--allow-fs-write", "--build-sea", "--build-snapshot-config",
		"--cpu-prof-dir", "--cpu-prof-interval", "--cpu-prof-name",
		"--diagnostic-dir", "--disable-proto", "--disable-warning", "--dns-result-order",
		"--es-module-specifier-resolution", "--experimental-specifier-resolution",
		"--experimental-config-file", "--experimental-default-config-file", "--experimental-default-type",
		"--experimental-package-map", "--experimental-policy", "--experimental-sea-config",
		"--experimental-test-isolation", "--test-isolation", "--experimental-test-tag-filter",
		"--heap-prof-dir", "--heap-prof-interval", "--heap-prof-name",
		"--heapsnapshot-near-heap-limit", "--heapsnapshot-signal", "--icu-data-dir", "--localstorage-file",
		"--max-http-header-size", "--max-old-space-size-percentage", "--network-family-autoselection-attempt-timeout",
		"--openssl-config", "--policy-integrity", "--redirect-warnings", "--report-directory", "--report-dir",
		"--report-filename", "--report-signal", "--secure-heap", "--secure-heap-min", "--snapshot-blob", "--test-concurrency",
		"--test-coverage-branches", "--test-coverage-exclude", "--test-coverage-functions", "--test-coverage-include",
		"--test-coverage-lines", "--test-global-setup", "--test-name-pattern", "--test-random-seed", "--test-reporter",
		"--test-reporter-destination", "--test-rerun-failures", "--test-shard", "--test-skip-pattern", "--test-timeout",
		"--tls-cipher-list", "--tls-keylog", "--trace-event-categories", "--trace-event-file-pattern",
		"--trace-require-module", "--unhandled-rejections", "--use-largepages", "--v8-pool-size",
		"--watch-kill-signal", "--watch-path":
		return true
	}
	return false
}
