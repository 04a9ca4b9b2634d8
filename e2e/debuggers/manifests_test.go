package debuggers

import (
	"fmt"
	"strings"
	"time"
)

// manifest is an application as people write it: a workload called app with a container called app, under the
// restricted rules of the Pod Security Standards, with a read-only root file system, and with probes, where it is not a
// Job.
type manifest struct {
	kind        string // Pod, Deployment or Job
	image       string
	command     string // fields of the container: command, args, workingDir; may be ""
	annotations string // of the pod template, as {key: value}; may be ""
	restart     string // the pod's restartPolicy; "" is Never for a Job, and else Always
	lingers     int    // seconds that the container runs on once its pod is being deleted
}

// probesAllow is the time after which a program that does not answer is killed.
const probesAllow = 4 * time.Second

const probes = `startupProbe:
  httpGet: {path: /healthz, port: 8080}
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /healthz, port: 8080}
  periodSeconds: 1
livenessProbe:
  httpGet: {path: /healthz, port: 8080}
  periodSeconds: 2
  failureThreshold: 2
`

const podSpec = `restartPolicy: %s
terminationGracePeriodSeconds: %d
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  seccompProfile:
    type: RuntimeDefault
containers:
- name: app
  image: %s
%s  ports:
  - containerPort: 8080
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
  volumeMounts:
  - name: tmp
    mountPath: /tmp
volumes:
- name: tmp
  emptyDir: {}
`

func (m manifest) String() string {
	restart, fields := "Always", probes
	if m.kind == "Job" {
		restart, fields = "Never", ""
	}
	if m.restart != "" {
		restart = m.restart
	}
	if m.command != "" {
		fields += m.command + "\n"
	}
	if m.lingers > 0 {
		fields += fmt.Sprintf("lifecycle: {preStop: {sleep: {seconds: %d}}}\n", m.lingers)
	}
	metadata := "labels: {app: app}\n"
	if m.annotations != "" {
		metadata += "annotations: " + m.annotations + "\n"
	}
	spec := fmt.Sprintf(podSpec, restart, m.lingers+5, m.image, indent(fields, 2))
	template := "metadata:\n" + indent(metadata, 2) + "spec:\n" + indent(spec, 2)
	switch m.kind {
	case "Pod":
		return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: app\n" + indent(metadata, 2) + "spec:\n" + indent(spec, 2)
	case "Deployment":
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  replicas: 2\n  selector:\n" +
			"    matchLabels: {app: app}\n  template:\n" + indent(template, 4)
	case "Job":
		return "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: app\nspec:\n  backoffLimit: 0\n  template:\n" +
			indent(template, 4)
	}
	panic("no manifests of kind " + m.kind)
}

// indent puts spaces in front of each line.
func indent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", by) + line)
	}
	return b.String()
}
