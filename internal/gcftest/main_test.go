package gcftest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fileloft/fileloft/internal/clients"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
)

// patience bounds every wait, with much room for a slow machine.
const patience = 60 * time.Second

var (
	root = filepath.Join("..", "..")
	tmp  string // of the whole run: the binary
)

// ownClient asks whatever needs no client of a special kind.
var ownClient = servers.NewClient(0)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fileloft-gcf-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tmp, everyClient = dir, clients.All(dir, chunk)
	defer func() { _ = os.RemoveAll(dir) }()
	defer func() {
		if shared.firestore != nil {
			shared.firestore.Stop()
		}
	}()
	return m.Run()
}

// A cloud is what all functions share: one Firestore emulator, in which each deployment has a project, one fake of Cloud Storage, in
// which each has a prefix.
type cloud struct {
	once      sync.Once
	err       error
	firestore *servers.Process
	fake      *gcsfake.Server
	storage   *gcsfake.Listener
	projects  atomic.Int32
}

const bucket = "uploads"

var shared cloud

// inCloud starts the servers and builds the binary, once, or skips t for want of them.
func inCloud(t testing.TB) *cloud {
	t.Helper()
	if testing.Short() {
		t.Skip("tests of the whole path through the function do not run under -short")
	}
	c := &shared
	c.once.Do(func() { c.err = c.start(context.Background()) })
	servers.Require(t, "a server", c.err)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cloud) start(ctx context.Context) (err error) {
	if c.firestore, err = servers.StartFirestore(ctx); err != nil {
		return err
	}
	c.fake = gcsfake.New(nil, bucket)
	c.storage, err = c.fake.Listen(ctx, "")
	return err
}

var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "-C", root, "build", "-trimpath", "-buildvcs=false", "-o", program(), "./functions/gcf/cmd/fileloft-gcf")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

func program() string { return filepath.Join(tmp, "fileloft-gcf") }

// A deployment is a project of the database, a part of the bucket, and what functions over them are configured with.
type deployment struct {
	cloud  *cloud
	prefix string
	state  *firestorestate.Store
	env    []string
}

func (c *cloud) deploy(t testing.TB, settings ...string) *deployment {
	t.Helper()
	project := fmt.Sprintf("project-%d", c.projects.Add(1))
	client, err := firestore.NewClient(t.Context(), project, option.WithEndpoint(c.firestore.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	state, err := firestorestate.New(client, "fileloft", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &deployment{cloud: c, prefix: project + "/", state: state, env: append([]string{
		"FIRESTORE_EMULATOR_HOST=" + c.firestore.Addr, "FILELOFT_FIRESTORE_PROJECT=" + project,
		"FILELOFT_GCS_BUCKET=" + bucket, "FILELOFT_GCS_PREFIX=" + project + "/", "FILELOFT_GCS_ENDPOINT=" + c.storage.URL,
		"FILELOFT_LOG_LEVEL=warn",
	}, settings...)}
}

// A function is one process of the binary.
type function struct {
	URL   string // without a path
	t     testing.TB
	addr  string
	env   []string
	log   *os.File
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended <-chan struct{}
}

// function starts a process that serves a target.
func (d *deployment) function(t testing.TB, target string, settings ...string) *function {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	f := &function{URL: "http://" + addr, t: t, addr: addr, log: log, env: slices.Concat(d.env, []string{
		"FILELOFT_BIND=" + addr, "FUNCTION_TARGET=" + target, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
	}, settings)}
	f.start()
	t.Cleanup(func() {
		f.kill()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("%s of %s says: %s", target, f.addr, b[max(0, len(b)-4000):])
		}
		_ = log.Close()
	})
	return f
}

func (f *function) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	cmd := exec.Command(program())
	cmd.Env, cmd.Stdout, cmd.Stderr = f.env, f.log, f.log
	ended, err := servers.Start(cmd)
	if err != nil {
		f.t.Fatal(err)
	}
	f.cmd, f.ended = cmd, ended
	for late := time.After(patience); ; {
		resp, err := ownClient.Get(f.URL + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case <-ended:
			f.t.Errorf("the function on %s has ended at its start", f.addr)
			return
		case <-late:
			f.t.Errorf("the function does not listen on %s", f.addr)
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// kill ends the process by SIGKILL.
func (f *function) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.cmd.Process.Kill()
	<-f.ended
}
