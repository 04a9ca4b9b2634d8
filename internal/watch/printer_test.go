package watch

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// The printer keeps the order, never makes anybody wait, and writes what is left when told to stop.
func TestPrinter(t *testing.T) {
	reader, writer := io.Pipe()
	p := newPrinter(writer)
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.run(stop) }()
	var want strings.Builder
	for i := range 1000 { // nobody reads yet
		p.add(fmt.Appendln(nil, i))
		fmt.Fprintln(&want, i)
	}
	close(stop)
	go func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
		writer.Close()
	}()
	got, err := io.ReadAll(reader)
	if err != nil || string(got) != want.String() {
		t.Errorf("got %d bytes, want %d, %v", len(got), want.Len(), err)
	}
}

// When writing fails the printer says so, and does not pile up what nobody will get.
func TestPrinterThatCannotWrite(t *testing.T) {
	full := errors.New("no space left")
	reader, writer := io.Pipe()
	reader.CloseWithError(full)
	p := newPrinter(writer)
	p.add([]byte("a"))
	if err := p.run(make(chan struct{})); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	p.say("b")
	if left := p.take(); left != nil {
		t.Errorf("kept %q", left)
	}
}
