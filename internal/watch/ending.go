package watch

import (
	"context"
	"sync"
	"time"
)

// drainTime is how long the end of the program waits in all: for readers to take the last events, and for what cannot
// be stopped, such as a connection that is being made.
const drainTime = 2 * time.Second

// ending is the end of the program. Several things are waited for, one after the other, and they share one drainTime:
// each with its own, the end took up to five of them. It starts with the first wait. A nil one is one that nobody
// shares.
type ending struct {
	once sync.Once
	ctx  context.Context
}

// grace returns the context that ends when the time is up.
func (e *ending) grace() context.Context {
	if e == nil {
		e = new(ending)
	}
	e.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(drainTime, cancel)
		e.ctx = ctx
	})
	return e.ctx
}

// wait returns when done does, or when the time is up: the program ends all the same.
func (e *ending) wait(done func()) {
	over := e.grace().Done()
	ended := make(chan struct{})
	go func() {
		done()
		close(ended)
	}()
	select {
	case <-ended:
	case <-over:
		select { // what needs no waiting for is finished even then
		case <-ended:
		case <-time.After(50 * time.Millisecond):
		}
	}
}
