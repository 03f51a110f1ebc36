package proof

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/faults"
	"github.com/fileloft/fileloft/internal/servers"
)

// The same load on tusd, for comparison. What it is made for is one process, or a front end that sends all requests of an upload to the same
// one: https://tus.github.io/tusd/advanced-topics/locks/ says of its two lockers that "their reach is limited to either the disk or the local
// tusd process", so three processes on one disk are within it, and three over one bucket are not.
var peers = []struct {
	name, says string
	processes  int
	s3         bool
	promised   bool // its documentation has it that this works
}{
	{"tusd-one-on-files", "tusd, files, one process", 1, false, true},
	{"tusd-three-on-files", "tusd, files, three processes", 3, false, true},
	{"tusd-one-on-s3", "tusd, S3, one process", 1, true, true},
	{"tusd-three-on-s3", "tusd, S3, three processes", 3, true, false},
}

// tusdFlags have tusd notice sooner than by default that a client is gone or that another request wants a lock, and lose less of a body to a kill:
// with them it does better here. The waiting for a lock is left as it is, at 20 s.
var tusdFlags = []string{
	"-host=127.0.0.1", "-verbose=false", "-show-startup-logs=false", "-expose-metrics=false",
	"-network-timeout=10s", "-filelock-holder-poll-interval=200ms", "-filelock-acquirer-poll-interval=100ms", "-s3-part-size=8388608",
}

// onTusd is processes of tusd over a directory, or over a bucket behind a proxy.
func onTusd(t testing.TB, name string, n int, s3 bool) *setup {
	program, err := filepath.Abs(filepath.Join(root, "bin", "tusd"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		servers.Require(t, "bin/tusd (make bin/tusd)", err)
	}
	s := &setup{name: name, body: 64 << 20, byTheBook: true} // its OPTIONS name no checksums, and all else that the load uses
	flags, env := append(slices.Clone(tusdFlags), "-upload-dir="+t.TempDir()), []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	if s3 {
		server := servers.S3(t)
		p := between(t, "s3", server.URL)
		s.proxies = []*faults.Proxy{p}
		flags = append(slices.Clone(tusdFlags), "-s3-bucket="+server.Bucket(t, "tusd"), "-s3-endpoint="+p.URL())
		env = append(env, "AWS_ACCESS_KEY_ID="+server.Access, "AWS_SECRET_ACCESS_KEY="+server.Secret, "AWS_REGION=us-east-1")
	}
	f := &processes{path: "/files/"}
	for range n {
		f.all = append(f.all, startProcess(t, "/", func(addr string) *exec.Cmd {
			cmd := exec.Command(program, append(slices.Clone(flags), "-port="+addr[len("127.0.0.1:"):])...)
			cmd.Env = env
			return cmd
		}))
	}
	s.fleet = f
	return s
}

// TestTusd counts what happens to tusd. It judges nothing: a finding of its is no failure of this test.
func TestTusd(t *testing.T) {
	if testing.Short() || !long && os.Getenv("PROOF_TUSD") != "1" {
		t.Skip("tusd is compared in the long form only, or with PROOF_TUSD=1")
	}
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			l := newLoad(t, onTusd(t, p.says, p.processes, p.s3))
			// A process is struck as often as one of fileloft's three.
			l.trouble.pause = l.trouble.pause * 3 / time.Duration(p.processes)
			l.run(t)
			t.Logf("%s: %v", p.says, l.tally)
			shown := map[string]int{}
			for _, f := range l.tally.findings {
				if shown[f.class]++; shown[f.class] <= 5 {
					t.Log(f)
				}
			}
			record(t, l, &p.promised)
		})
	}
}
