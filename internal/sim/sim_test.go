package sim

import "testing"

func TestSchedules(t *testing.T) { Run(t, inMemory) }

// One seed is one schedule. What is left of chance, the package comment says; it must stay rare, or a seed is of no use.
func TestASeedIsASchedule(t *testing.T) {
	n, same := uint64(300), 0
	if testing.Short() {
		n = 60
	}
	for seed := uint64(1); seed <= n; seed++ {
		once, again := run(t, &inMemory, seed, false), run(t, &inMemory, seed, false)
		if once.sum == again.sum {
			same++
		} else {
			t.Logf("seed %d is not one schedule", seed)
		}
	}
	t.Logf("%d of %d seeds gave the same trace twice", same, n)
	if uint64(same) < n-n/50 {
		t.Errorf("only %d of %d seeds gave the same trace twice", same, n)
	}
}

func TestOrders(t *testing.T) { Orders(t, inMemory) }

// Requests to the whole engine that meet.
func TestMeetings(t *testing.T) { inMemory.orders(t, meetings()) }
