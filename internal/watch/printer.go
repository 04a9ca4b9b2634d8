package watch

import (
	"fmt"
	"io"
	"sync"

	"debuggable.dev/debuggable/internal/foreign"
)

// printer writes to stdout or stderr, at the pace at which it is read there. Whoever adds to it does not wait: a
// blocked terminal, or a program that never reads what it started, must not stop the watch.
type printer struct {
	out io.Writer

	mu      sync.Mutex
	queue   [][]byte
	size    int              // bytes in the queue
	full    bool             // something was dropped since the queue was taken
	dropped []byte           // what is said instead
	secrets *foreign.Secrets // that say must not repeat
	ending  *ending
	broken  bool          // writing has failed: nothing more is kept
	more    chan struct{} // holds a token when the queue may have something
}

// maxQueue is how many bytes wait for a reader, some 30,000 events; maxSaid how long a line on stderr is.
const (
	maxQueue = 16 << 20
	maxSaid  = 1000
)

func newPrinter(out io.Writer) *printer {
	return &printer{out: out, more: make(chan struct{}, 1), ending: new(ending)}
}

func (p *printer) add(text []byte) {
	p.mu.Lock()
	switch {
	case p.broken || p.full:
	case p.size+len(text) > maxQueue:
		p.full = true
		p.queue = append(p.queue, p.dropped)
	default:
		p.queue = append(p.queue, text)
		p.size += len(text)
	}
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// start begins to write. When writing fails it calls failed, and writes no more. The function that it returns waits
// until all that was added is written, or nobody has read it for drainTime.
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
		p.ending.wait(func() { <-ended })
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
	p.queue, p.size, p.full = nil, 0, false
	return queue
}

// say adds a line of what is no event, from any goroutine.
func (p *printer) say(format string, args ...any) {
	text := p.secrets.Redact(fmt.Sprintf(format, args...))
	p.add([]byte("debuggable watch: " + foreign.Line(foreign.Cut(text, maxSaid)) + "\n"))
}
