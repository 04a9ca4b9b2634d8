package watch

import (
	"context"
	"time"

	"debuggable.dev/debuggable/internal/localport"
)

// In a rollover, a pod starts beside the one that it replaces, which has the local port that editors know. Once that
// one is gone, its successor gets the port.

// forwards are those of a container that runs.
type forwards struct {
	cancel    context.CancelFunc
	container container
	all       []*forwarding
}

// forwarding is one of them. What may change is read and written with the forwarder's lock.
type forwarding struct {
	target target
	number int             // of the plan
	moves  bool            // that is another one than it was opened with
	after  <-chan struct{} // closed once that number is free
	moved  chan struct{}   // has one element where it moves
}

// succeed gives the numbers of a container that is gone to one of the same workload that has others. f.mu is held.
func (f *forwarder) succeed(gone *forwards) {
	for _, had := range gone.all {
		var heir *forwarding
		var youngest runID
		for id, run := range f.runs {
			if id > youngest && gone.container.replacedBy(run.container) {
				if one := run.displaced(had); one != nil {
					heir, youngest = one, id
				}
			}
		}
		if heir == nil {
			continue
		}
		f.plan.Release(heir.number)
		heir.number, heir.moves, heir.after = f.plan.Take(int(heir.target.port)), true, f.last[had.target]
		delete(f.locals, heir.target)
		select {
		case heir.moved <- struct{}{}:
		default:
		}
	}
}

// replacedBy says whether another container is the same of the same workload, in another pod.
func (c container) replacedBy(other container) bool {
	return c.uid != other.uid && c.kind != "Pod" && c.namespace == other.namespace && c.kind == other.kind &&
		c.owner == other.owner && c.name == other.name
}

// displaced is the forward of the same debug port as another one that has not the number that it should have.
func (r *forwards) displaced(other *forwarding) *forwarding {
	for _, one := range r.all {
		if one.target.protocol == other.target.protocol && one.target.port == other.target.port &&
			one.number != other.number && one.number != localport.Number(int(one.target.port)) {
			return one
		}
	}
	return nil
}

// move returns the number of the plan, and whether it is another one than it was, which then is free.
func (f *forwarder) move(ctx context.Context, one *forwarding) (number int, moves bool) {
	f.mu.Lock()
	number, moves, after := one.number, one.moves, one.after
	one.moves, one.after = false, nil
	select {
	case <-one.moved:
	default:
	}
	f.mu.Unlock()
	if after != nil {
		select {
		case <-after:
		case <-ctx.Done():
		}
	}
	return number, moves
}

// unused waits until the forward moves and nobody is connected through its tunnel any more. It returns false when ctx
// ends.
func (o *forwarding) unused(ctx context.Context, through *tunnel) bool {
	select {
	case <-o.moved:
	case <-ctx.Done():
		return false
	}
	for through.used() {
		if !pause(ctx, time.Second) {
			return false
		}
	}
	return true
}
