package lambdagate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func failed(t *testing.T, err error, kind string) {
	t.Helper()
	var fe *FunctionError
	if !errors.As(err, &fe) || fe.Type != kind {
		t.Errorf("error %v, want one of type %s", err, kind)
	}
}

func TestAnInstanceIsUsedAgain(t *testing.T) {
	f := deploy(t, Options{})
	pid, n := count(t, f)
	if n != 1 {
		t.Fatalf("the first invocation is number %d", n)
	}
	for want := 2; want < 5; want++ {
		if again, n := count(t, f); again != pid || n != want {
			t.Errorf("invocation %d ran in %d as its number %d, the first in %d", want, again, n, pid)
		}
	}
	if list := f.Instances(); len(list) != 1 || list[0].PID != pid || list[0].Busy {
		t.Errorf("instances %v", list)
	}
}

func TestTheFunctionSeesLambda(t *testing.T) {
	f := deploy(t, Options{Env: []string{"MINE=1"}, MemoryMB: 256, Name: "uploads", Timeout: 9 * time.Second})
	b, err := f.Invoke(t.Context(), do("env"))
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	if err := json.Unmarshal(b, &env); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"MINE=1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_FUNCTION_NAME=uploads", "AWS_REGION=us-east-1", "_HANDLER=bootstrap",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) {
		t.Errorf("the environment of this machine shines through: %q", env)
	}
	b, err = f.Invoke(t.Context(), do("context"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		ID, Arn string
		Left    int
	}
	if err := json.Unmarshal(b, &c); err != nil || len(c.ID) != 36 || !strings.HasSuffix(c.Arn, ":function:uploads") || c.Left < 7000 || c.Left > 9000 {
		t.Errorf("context %s, %v", b, err)
	}
}

// A goroutine that prints every 10 ms is silent while its instance is idle, and goes on in the next invocation.
func TestAnIdleInstanceIsFrozen(t *testing.T) {
	out := &log{}
	f := deploy(t, Options{Log: out})
	if _, err := f.Invoke(t.Context(), do("tick")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // for what is in the pipe
	before := out.count("tick")
	time.Sleep(300 * time.Millisecond)
	if after := out.count("tick"); after != before {
		t.Errorf("%d lines were printed by a frozen instance", after-before)
	}
	if _, err := f.Invoke(t.Context(), do("sleep:300")); err != nil {
		t.Fatal(err)
	}
	if n := out.count("tick") - before; n < 5 {
		t.Errorf("%d lines were printed within 300 ms of work", n)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	f := deploy(t, Options{MaxInstances: 3})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := f.Invoke(t.Context(), do("sleep:1000")); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "three instances at work", func() bool {
		list := f.Instances()
		return len(list) == 3 && !slices.ContainsFunc(list, func(in Instance) bool { return !in.Busy })
	})
	if _, err := f.Invoke(t.Context(), do("")); !errors.Is(err, ErrThrottled) {
		t.Errorf("the fourth: %v, want ErrThrottled", err)
	}
	wg.Wait()
	if _, err := f.Invoke(t.Context(), do("")); err != nil {
		t.Errorf("after the three: %v", err)
	}
	if n := len(f.Instances()); n != 3 {
		t.Errorf("%d instances, want 3", n)
	}
}

func TestAKilledInstanceIsReplaced(t *testing.T) {
	f := deploy(t, Options{})
	first, _ := count(t, f)
	if !f.Kill(first) || f.Kill(first) {
		t.Error("Kill of an instance says that it was not there, or that it was there twice")
	}
	second, n := count(t, f)
	if second == first || n != 1 {
		t.Errorf("after the kill %d answers, as its number %d", second, n)
	}
	result := make(chan error)
	go func() {
		_, err := f.Invoke(t.Context(), do("sleep:60000"))
		result <- err
	}()
	eventually(t, "work", func() bool { return f.Instances()[0].Busy })
	time.Sleep(20 * time.Millisecond)
	if v := f.KillRandom(); v.PID != second || !v.Busy {
		t.Errorf("killed %v, want %d", v, second)
	}
	failed(t, <-result, exitError)
	if third, n := count(t, f); third == second || n != 1 {
		t.Errorf("after the kill in mid-invocation %d answers, as its number %d", third, n)
	}
	f.Close()
	if list := f.Instances(); len(list) > 0 {
		t.Errorf("closed, and there are %v", list)
	}
	if _, err := f.Invoke(t.Context(), do("")); err == nil {
		t.Error("closed, and it answers")
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	quick, slow := deploy(t, Options{Timeout: 500 * time.Millisecond}), deploy(t, Options{})
	for what, kind := range map[string]string{
		"exit:3": exitError, "exit:0": exitError, "error": "errorString", "sleep:60000": timeoutError, "bytes:6291600": tooLargeError,
	} {
		f := slow
		if kind == timeoutError {
			f = quick
		}
		_, err := f.Invoke(t.Context(), do(what))
		failed(t, err, kind)
		if _, err := f.Invoke(t.Context(), do("")); err != nil {
			t.Errorf("after %s: %v", what, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := slow.Invoke(ctx, do("sleep:200")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller without patience gets %v", err)
	}
	failed(t, invoke(t, deploy(t, Options{Env: []string{"TEST_INIT=crash"}})), exitError)
	missing := New("does-not-exist", nil)
	defer missing.Close()
	failed(t, invoke(t, missing), "Runtime.InvalidEntrypoint")
}

func invoke(t *testing.T, f *Function) error {
	t.Helper()
	_, err := f.Invoke(t.Context(), do(""))
	return err
}

func TestTheBill(t *testing.T) {
	var mu sync.Mutex
	var bill []Invocation
	f := deploy(t, Options{Invoked: func(i Invocation) {
		mu.Lock()
		defer mu.Unlock()
		bill = append(bill, i)
	}})
	event := do("sleep:100")
	for range 2 {
		if _, err := f.Invoke(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = f.Invoke(t.Context(), do("exit:1"))
	f.Close()
	if len(bill) != 3 {
		t.Fatalf("%d invocations on the bill: %v", len(bill), bill)
	}
	cold, warm, crash := bill[0], bill[1], bill[2]
	if cold.Init <= 0 || cold.Duration < cold.Init+100*time.Millisecond || warm.Init != 0 || warm.Duration < 100*time.Millisecond {
		t.Errorf("cold %+v, warm %+v", cold, warm)
	}
	if warm.Duration%time.Millisecond != 0 || warm.EventBytes != len(event) || warm.AnswerBytes == 0 || warm.Err != nil || crash.Err == nil {
		t.Errorf("warm %+v, crash %+v", warm, crash)
	}
}

// An event of the limit's size passes, and one byte more does not.
func TestEventsHaveALimit(t *testing.T) {
	f := deploy(t, Options{})
	const head, tail = `{"queryStringParameters":{"do":"count"},"pad":"`, `"}`
	event := []byte(head + strings.Repeat("x", maxEvent-len(head)-len(tail)) + tail)
	if _, err := f.Invoke(t.Context(), append(event, ' ')); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d bytes: %v, want ErrTooLarge", len(event)+1, err)
	}
	if len(f.Instances()) != 0 {
		t.Error("an instance was started for an event that is too large")
	}
	if _, err := f.Invoke(t.Context(), do("bytes:6291400")); err != nil {
		t.Errorf("an answer below the limit: %v", err)
	}
	if _, err := f.Invoke(t.Context(), event); err != nil {
		t.Errorf("%d bytes: %v", len(event), err)
	}
}
