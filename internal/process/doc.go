// Package process knows how Kubernetes makes a container's process from its manifest and its image's configuration: the
// command line (command, args, ENTRYPOINT, CMD), the environment (env, envFrom, ENV), and the references in both. What
// a plan changes is worked out without touching the manifest, and written afterwards.
package process
