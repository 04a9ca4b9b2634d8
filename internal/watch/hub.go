package watch

import (
	"slices"
	"sync"
	"time"

	"debuggable.dev/debuggable/internal/debuginfo"
)

// hub keeps what has happened and what is so now, for any number of readers. Nobody who publishes ever waits for a
// reader: readers come and take what they have not seen yet.
type hub struct {
	now func() time.Time
	// limit is how many records are kept. What concerns running containers is kept beyond it, so that a reader who comes
	// late always learns of all of them.
	limit int
	// also gets each record as it is published, in order. It must not block.
	also func(record)

	mu      sync.Mutex
	records []record
	trimAt  int    // length of the history at which to trim it
	last    uint64 // number of the latest record
	// removed is the highest number among the records that were dropped from the history.
	removed uint64
	runs    []*run
	lastRun runID
	changed chan struct{} // closed and replaced at each publication
	moved   chan struct{} // closed and replaced whenever the state changes
	// encodings are the state in each form that was asked for since it changed.
	encodings map[string][]byte
}

// record is one published event.
type record struct {
	number uint64
	run    runID
	at     time.Time
	event  event
	json   []byte // the line, with the newline
}

// runID names a container's time between Started and Terminated.
type runID uint64

// run is a container that runs, and its forwarded ports by local port.
type run struct {
	id        runID
	container container
	forwards  map[int]portEvent
}

const defaultHistory = 4096

func newHub() *hub {
	return &hub{now: time.Now, limit: defaultHistory, also: func(record) {
	}, changed: make(chan struct{}), moved: make(chan struct{})}
}

// publishStarted makes it known that the container runs.
func (h *hub) publishStarted(c container) runID {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastRun++
	h.runs = append(h.runs, &run{id: h.lastRun, container: c, forwards: map[int]portEvent{}})
	e := newContainerEvent(started, c)
	h.append(h.lastRun, event{Container: &e})
	return h.lastRun
}

// alter takes note of a running container's condition, which is no event.
func (h *hub) alter(id runID, now condition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := h.find(id); i >= 0 {
		h.runs[i].container.condition = now
		h.move()
	}
}

// publishTerminated makes it known that the container has ended, and with it its forwards.
func (h *hub) publishTerminated(id runID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.find(id)
	if i < 0 {
		return
	}
	e := newContainerEvent(terminated, h.runs[i].container)
	h.runs = slices.Delete(h.runs, i, i+1)
	h.append(id, event{Container: &e})
}

// publishForward makes it known that a local port leads to a port of the container. It does nothing once the container
// has ended. With again set the forward is one that broke and came back as it was, which changes the state but is no
// event.
func (h *hub) publishForward(id runID, e portEvent, again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.find(id)
	if i < 0 {
		return
	}
	h.runs[i].forwards[e.LocalPort] = e
	h.move()
	if again {
		return
	}
	e.Address = ""
	h.append(id, event{Port: &e})
}

// endForward takes a forward out of the state.
func (h *hub) endForward(id runID, localPort int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := h.find(id); i >= 0 {
		delete(h.runs[i].forwards, localPort)
		h.move()
	}
}

// move takes note that the state has changed; h.mu is held.
func (h *hub) move() {
	h.encodings = nil
	close(h.moved)
	h.moved = make(chan struct{})
}

func (h *hub) find(id runID) int {
	return slices.IndexFunc(h.runs, func(r *run) bool { return r.id == id })
}

func (h *hub) append(id runID, e event) {
	h.last++
	h.move()
	at := h.now()
	r := record{number: h.last, run: id, at: at, event: e, json: e.encode(at)}
	h.records = append(h.records, r)
	h.also(r)
	if len(h.records) > max(h.limit, h.trimAt) {
		h.trim()
		// Where nearly everything runs there is little to drop: do not look again at each event.
		h.trimAt = len(h.records) + h.limit/4
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// trim drops the oldest quarter of the history: whole runs that have ended, so that nobody reads of an end
// without its start.
func (h *hub) trim() {
	runs := make(map[runID]bool, len(h.runs))
	for _, r := range h.runs {
		runs[r.id] = true
	}
	goal := len(h.records) - h.limit*3/4
	size := map[runID]int{}
	for _, r := range h.records {
		size[r.run]++
	}
	drop := map[runID]bool{}
	for _, r := range h.records {
		if goal <= 0 {
			break
		}
		if !runs[r.run] && !drop[r.run] {
			drop[r.run] = true
			goal -= size[r.run]
		}
	}
	kept := make([]record, 0, len(h.records))
	for _, r := range h.records {
		if drop[r.run] {
			h.removed = max(h.removed, r.number)
			continue
		}
		kept = append(kept, r)
	}
	h.records = kept
}

// since returns the records after the one with the given number, and a channel that is closed when there are more.
// missed says that some records in between are gone. All readers share the records: what is published goes behind them,
// and trim makes a new history.
func (h *hub) since(number uint64) (records []record, missed bool, more <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, _ := slices.BinarySearchFunc(h.records, number+1, func(r record, n uint64) int {
		switch {
		case r.number < n:
			return -1
		case r.number > n:
			return 1
		}
		return 0
	})
	return slices.Clip(h.records[i:]), h.removed > number, h.changed
}

// state returns what runs now, in the order in which it started.
func (h *hub) state() state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stateNow()
}

// stateLine returns the state as a line of JSON, which its readers share and do not change.
func (h *hub) stateLine() []byte {
	return h.encodedState("json", func(s state) []byte { return encodeLine(s) })
}

// encodedState returns the state in the form that encode gives it, of the given name. It is made once for all who ask
// for it until something changes; they share it and do not change it.
func (h *hub) encodedState(form string, encode func(state) []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if encoded, ok := h.encodings[form]; ok {
		return encoded
	}
	if h.encodings == nil {
		h.encodings = map[string][]byte{}
	}
	encoded := encode(h.stateNow())
	h.encodings[form] = encoded
	return encoded
}

// running returns what runs now for those who look on, in the order in which it started, and a channel that is closed
// at the next change.
func (h *hub) running() ([]debuginfo.Running, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []debuginfo.Running
	for _, r := range h.runs {
		one := r.container.running()
		for local, e := range r.forwards {
			one.Locals[e.PortName] = local
		}
		all = append(all, one)
	}
	return all, h.moved
}

func (h *hub) stateNow() state {
	s := state{DebuggingContainers: []containerEvent{}, ForwardedPorts: map[int]portEvent{}}
	for _, r := range h.runs {
		s.DebuggingContainers = append(s.DebuggingContainers, newContainerEvent(started, r.container))
		for port, e := range r.forwards {
			s.ForwardedPorts[port] = e
		}
	}
	return s
}
