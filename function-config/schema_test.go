package functionconfig

import (
	"testing"

	"debuggable.dev/debuggable/internal/generated"
)

func TestSchemaFileIsFresh(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	generated.File(t, "schema.yaml", string(want))
}

func TestDocumentedReferenceIsFresh(t *testing.T) {
	generated.Section(t, "../docs/function-config.md", "settings", Reference())
}

func TestDocumentedAnnotationsAreFresh(t *testing.T) {
	generated.Section(t, "../docs/function-config.md", "annotations", AnnotationReference())
}
