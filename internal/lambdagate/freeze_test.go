package lambdagate

import (
	"testing"
	"time"
)

// An instance that is frozen amid an invocation stands still, and goes on where it was.
func TestAnInstanceIsFrozenAtWork(t *testing.T) {
	out := &log{}
	f := deploy(t, Options{Log: out})
	if _, err := f.Invoke(t.Context(), do("tick")); err != nil {
		t.Fatal(err)
	}
	pid := f.Instances()[0].PID
	if f.Freeze(pid) || f.Freeze(pid+1) {
		t.Error("an idle instance was frozen, or one that is not there")
	}
	if f.Thaw(pid); ticks(out) {
		t.Error("an idle instance was woken")
	}
	result := make(chan error)
	go func() {
		_, err := f.Invoke(t.Context(), do("sleep:300"))
		result <- err
	}()
	eventually(t, "work", func() bool { return f.Freeze(pid) })
	if ticks(out) {
		t.Error("a frozen instance goes on")
	}
	time.Sleep(400 * time.Millisecond)
	select {
	case err := <-result:
		t.Fatalf("a frozen instance has answered: %v", err)
	default:
	}
	if !f.Thaw(pid) {
		t.Error("the frozen instance is gone")
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	eventually(t, "rest", func() bool { return !f.Instances()[0].Busy })
	if f.Thaw(pid); ticks(out) {
		t.Error("an idle instance was woken")
	}
	if list := f.Instances(); len(list) != 1 || list[0].PID != pid {
		t.Errorf("there are %v", list)
	}
}

// ticks says whether somebody still prints, once what is in the pipe has come.
func ticks(out *log) bool {
	time.Sleep(50 * time.Millisecond)
	before := out.count("tick")
	time.Sleep(150 * time.Millisecond)
	return out.count("tick") != before
}
