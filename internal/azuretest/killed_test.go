package azuretest

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/azurehost"
	"github.com/fileloft/fileloft/internal/servers"
)

// TestKilled lets tus-js-client upload in chunks of 16 MiB through two instances in turn, of which one at a time is killed at random, by
// SIGKILL, and started again by its host. The client resumes by its defaults; the blob is the source, and nothing else is left. It is a
// quarter of a gigabyte; E2E_LONG=1 makes it a whole one.
//
// A killed writer's lease stays until it ends, and the client's next request waits for it. So an instance is killed every few seconds, which is
// not more often than the client has patience for without getting on.
func TestKilled(t *testing.T) {
	t.Parallel()
	c := inCloud(t)
	servers.Require(t, everyClient[0].Name, everyClient[0].Lacks())
	size := int64(256 << 20)
	if os.Getenv("E2E_LONG") == "1" {
		size = 1 << 30
	}
	d := c.deploy(t, "FILELOFT_LEASE_TTL=2s")
	a, url := d.app(t, azurehost.Options{Instances: 2})
	file := source(t, size)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	killing, stop := context.WithCancel(ctx)
	var killer sync.WaitGroup
	kills, atWork := 0, 0
	killer.Go(func() {
		for pause := 300 * time.Millisecond; ; pause = 5*time.Second + rand.N(2*time.Second) { // the first one soon
			select {
			case <-killing.Done():
				return
			case <-time.After(pause + rand.N(300*time.Millisecond)):
			}
			switch v := a.KillBusy(killing); {
			case v.Busy:
				atWork++
				fallthrough
			case v.PID != 0:
				kills++
			}
		}
	})
	begin := time.Now()
	at, log, err := everyClient[0].Upload(ctx, file, url)
	took := time.Since(begin)
	stop()
	killer.Wait()
	if err != nil {
		t.Fatalf("after %v and %d kills: %v\n%s", took, kills, err, log)
	}
	d.holds(t, at, size)
	requests, failed := a.Counts()
	if atWork == 0 || failed == 0 {
		t.Error("nobody was killed at work: this is no test")
	}
	t.Logf("%d MiB in %v, %.1f MiB/s; %d kills, %d of them at work; %d requests, of which the host answered %d by 502; %d errors seen by the client",
		size>>20, took.Round(100*time.Millisecond), float64(size>>20)/took.Seconds(), kills, atWork, requests, failed, strings.Count(log, "answered by"))
	if _, err := sweep(t.Context(), a); err != nil {
		t.Error(err)
	}
	if left := d.pieces(t, at); len(left) > 0 {
		t.Errorf("left after %d kills and a sweep: %q", kills, left)
	}
}
