// Package localport chooses the ports of this machine that lead to debug ports, so that who forwards them and who
// writes editors' files agree without asking each other.
package localport

import "slices"

// last is the highest number of a port.
const last = 1<<16 - 1

// Plan gives out numbers. The zero value has given none. It is not safe for concurrent use.
//
// Two plans that are asked for the same ports in the same order give the same numbers.
type Plan struct {
	wanted, taken map[int]bool
}

// Want takes note of a debug port that is asked for sooner or later: others keep out of its way.
func (p *Plan) Want(port int) {
	if p.wanted == nil {
		p.wanted = map[int]bool{}
	}
	p.wanted[Number(port)] = true
}

// Take gives out the number for a debug port: that of [Number] or, where it is given out already, the next one that is
// not, and that none wants; 0 for none.
func (p *Plan) Take(port int) int {
	n := Number(port)
	for first := n; n <= last && (p.taken[n] || n != first && (p.wanted[n] || Number(n) != n)); n++ {
	}
	if n > last {
		return 0
	}
	p.Reserve(n)
	return n
}

// Reserve takes note of a number that is given out already.
func (p *Plan) Reserve(n int) {
	if p.taken == nil {
		p.taken = map[int]bool{}
	}
	p.taken[n] = true
}

// Release takes a number back.
func (p *Plan) Release(n int) { delete(p.taken, n) }

// Number is the number of a debug port, if a port of this machine may have it, else another one that is as fixed. A pod
// chooses its ports; it must not get to sit where programs of this machine expect a service of theirs, or where only
// root may listen.
func Number(port int) int {
	const base = 40_000 // and the last four digits
	if port < 1024 || slices.Contains(services(), port) {
		return base + port%10_000
	}
	return port
}

// services are numbers beyond 1023 where developers' machines have databases, brokers, web servers and APIs, after
// IANA's registry and the programs' defaults.
func services() []int {
	return []int{
		1080, 1433, 1521, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3000, 3001, 3128, 3306, 3389, 4200, 4222, 4317, 4318,
		4443, 5000, 5001, 5173, 5353, 5432, 5601, 5671, 5672, 5900, 5984, 6000, 6379, 6443, 7474, 7687, 8000, 8001, 8008,
		8080, 8081, 8086, 8088, 8123, 8200, 8443, 8500, 8600, 8787, 8883, 8888, 9000, 9001, 9042, 9090, 9091, 9092, 9093,
		9100, 9200, 9300, 9411, 9418, 10250, 10255, 11211, 11434, 15672, 16443, 16686, 26257, 27017, 27018, 50051, 50052,
	}
}
