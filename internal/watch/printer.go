package watch

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// printer writes records to stdout, one after the other, at the pace at which they are read there. Whoever adds records does not wait: a
// blocked terminal must not stop the watch.
type printer struct {
	out    io.Writer
	format func(record) []byte

	mu    sync.Mutex
	queue []record
	more  chan struct{} // holds a token when the queue may have records
}

func newPrinter(out io.Writer, format func(record) []byte) *printer {
	return &printer{out: out, format: format, more: make(chan struct{}, 1)}
}

func (p *printer) add(r record) {
	p.mu.Lock()
	p.queue = append(p.queue, r)
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// run writes until stop is closed, and then what is left. It returns early with an error when writing fails.
func (p *printer) run(stop <-chan struct{}) error {
	for {
		p.mu.Lock()
		records := p.queue
		p.queue = nil
		p.mu.Unlock()
		for _, r := range records {
			if _, err := p.out.Write(p.format(r)); err != nil {
				return fmt.Errorf("writing events: %w", err)
			}
		}
		if len(records) > 0 {
			continue
		}
		select {
		case <-p.more:
		case <-stop:
			p.mu.Lock()
			empty := len(p.queue) == 0
			p.mu.Unlock()
			if empty {
				return nil
			}
		}
	}
}

// notices writes what is no event to stderr: one line at a time, from any goroutine.
type notices struct {
	mu sync.Mutex
	w  io.Writer
}

func (n *notices) say(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	// Nothing can be done about a stderr that is gone.
	_, _ = fmt.Fprintln(n.w, "debuggable watch: "+printable(fmt.Sprintf(format, args...)))
}

// drainTime is how long the end of the program waits for a reader of stdout to take the last events.
const drainTime = 2 * time.Second

// waitFor returns when wait does, or after drainTime: the program ends all the same, even where something cannot be stopped.
func waitFor(wait func()) {
	done := make(chan struct{})
	go func() {
		wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drainTime):
	}
}
