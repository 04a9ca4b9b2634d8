package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// generated is a stream of n documents like those of a chart: a third each of Deployments, Services and ConfigMaps.
func generated(n int) []byte {
	var b strings.Builder
	for i := range n {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, `---
# Source: chart/templates/web-%[1]d.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-%[1]d
  labels: {app: web-%[1]d}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web-%[1]d
  template:
    metadata:
      labels:
        app: web-%[1]d
    spec:
      containers:
        - name: web
          image: example.com/web:v%[1]d # pinned
          args: ["--port=8080", "--verbose"]
          ports:
            - containerPort: 8080
          env:
            - name: MODE
              value: "production"
            - name: KEY
              valueFrom:
                secretKeyRef:
                  name: web-%[1]d
                  key: key
          readinessProbe:
            httpGet:
              path: /ready
              port: 8080
          resources:
            requests:
              cpu: 100m
              memory: 64Mi
`, i)
		case 1:
			fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web-%[1]d\nspec:\n  selector:\n"+
				"    app: web-%[1]d\n  ports:\n  - port: 80\n    targetPort: 8080\n", i)
		case 2:
			fmt.Fprintf(&b, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web-%[1]d\ndata:\n  config.yaml: |\n"+
				"    log:\n      level: info\n    # generated\n    id: %[1]d\n", i)
		}
	}
	return []byte(b.String())
}

// BenchmarkReadWrite compares reading and writing 1000 documents, none and all Deployments edited, with what kyaml's
// own reader and writer take for the same input.
func BenchmarkReadWrite(b *testing.B) {
	data := generated(1000)
	ours := func(b *testing.B, edit bool) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			s, err := Read(Input{Name: "bench", Data: data})
			if err != nil {
				b.Fatal(err)
			}
			for _, o := range s.Objects() {
				if edit && o.Node().GetKind() == "Deployment" {
					if err := o.Node().PipeE(yaml.SetAnnotation("example.com/marker", "1")); err != nil {
						b.Fatal(err)
					}
					o.MarkEdited()
				}
			}
			var out bytes.Buffer
			if err := s.Write(&out, nil); err != nil {
				b.Fatal(err)
			}
			if !edit && !bytes.Equal(out.Bytes(), data) {
				b.Fatal("the output is not the input")
			}
		}
	}
	b.Run("untouched", func(b *testing.B) { ours(b, false) })
	b.Run("edited", func(b *testing.B) { ours(b, true) })
	b.Run("kyaml", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			var out bytes.Buffer
			err := kio.Pipeline{
				Inputs:  []kio.Reader{&kio.ByteReader{Reader: bytes.NewReader(data)}},
				Outputs: []kio.Writer{kio.ByteWriter{Writer: &out}},
			}.Execute()
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
