package localport

import (
	"fmt"
	"testing"
)

func TestNumber(t *testing.T) {
	for port, want := range map[int]int{22: 40022, 1023: 41023, 3000: 43000, 5432: 45432, 8080: 48080, 50051: 40051,
		1024: 1024, 5005: 5005, 5678: 5678, 9229: 9229, 56268: 56268, 2345: 2345, 40000: 40000} {
		if got := Number(port); got != want {
			t.Errorf("%d for %d, want %d", got, port, want)
		}
		if got := Number(Number(port)); got != want {
			t.Errorf("%d is another one for itself, %d", want, got)
		}
	}
}

func TestPlan(t *testing.T) {
	var p Plan
	for _, port := range []int{56268, 56269, 8079, 22} {
		p.Want(port)
	}
	p.Reserve(56271)
	var got []int
	for _, port := range []int{56268, 56268, 56269, 56268, 8079, 8079, 22, 22, 65535, 65535} {
		got = append(got, p.Take(port))
	}
	// 8080 and 8081 are of services, 56269 is wanted, and 56271 reserved.
	want := "[56268 56270 56269 56272 8079 8082 40022 40023 65535 0]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	p.Release(56268)
	if got := p.Take(56268); got != 56268 {
		t.Errorf("%d, want what was taken back", got)
	}
}
