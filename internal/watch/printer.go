package watch

import (
	"fmt"
	"io"
	"sync"
	"time"

	"debuggable.dev/debuggable/internal/foreign"
)

// printer writes to stdout or stderr, at the pace at which it is read there. Whoever adds to it does not wait: a blocked terminal,
// or a program that never reads what it started, must not stop the watch.
type printer struct {
	out io.Writer

	mu     sync.Mutex
	queue  [][]byte
	broken bool          // writing has failed: nothing more is kept
	more   chan struct{} // holds a token when the queue may have something
}

func newPrinter(out io.Writer) *printer {
	return &printer{out: out, more: make(chan struct{}, 1)}
}

func (p *printer) add(text []byte) {
	p.mu.Lock()
	if !p.broken {
		p.queue = append(p.queue, text)
	}
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// start begins to write. When writing fails it calls failed, and writes no more. The function that it returns waits until all that was
// added is written, or nobody has read it for drainTime.
func (p *printer) start(failed func(error)) (finish func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if err := p.run(stop); err != nil {
			failed(err)
		}
	}()
	return func() {
		close(stop)
		waitFor(func() { <-ended })
	}
}

// run writes until stop is closed, and then what is left. It returns early with an error when writing fails.
func (p *printer) run(stop <-chan struct{}) error {
	for {
		queue := p.take()
		for _, text := range queue {
			if _, err := p.out.Write(text); err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.queue, p.broken = nil, true
				return err
			}
		}
		if len(queue) > 0 {
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

func (p *printer) take() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := p.queue
	p.queue = nil
	return queue
}

// say adds a line of what is no event, from any goroutine.
func (p *printer) say(format string, args ...any) {
	p.add([]byte("debuggable watch: " + foreign.Line(fmt.Sprintf(format, args...)) + "\n"))
}

// drainTime is how long the end of the program waits for a reader to take the last events.
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
