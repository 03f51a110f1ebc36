// Package clients drives the real upload clients for tests: tus-js-client, go-tus, tusgo and curl. It has no tests and no
// servers of its own; the packages that have a server to hold to real clients share it.
//
// curl and Node must be on the path, and tus-js-client in tools/node_modules, where make clients installs it. The Go clients
// are the programs of tools/clients, which are built when they are first asked for: that takes seconds, and network where the
// module cache lacks them. [Client.Lacks] says what is missing; whether that skips a test or fails it is the caller's affair.
//
// Every client goes on after errors by itself, as it does by default or as its program says, until its retries or the context
// end. On Linux its processes die with the test.
package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/fileloft/fileloft/internal/servers"
)

// A Client is one upload client with certain settings.
type Client struct {
	Name  string
	Least int64 // bytes of the smallest file that it can upload: below, it panics or makes requests that make no sense

	lacks  func() error
	upload func(ctx context.Context, file, endpoint string) (url, log string, err error)
}

// All returns every client: as it is, in parallel, in parts, with checksums; the plain tus-js-client is the first. Chunk is the
// largest body that they send. 0 is each client's default, which for tus-js-client and curl is the whole file, and adds
// tus-js-client in chunks and tusgo with all in one request and the checksum in its trailer. The Go clients are built into dir.
func All(dir string, chunk int64) []*Client {
	build := builder(dir)
	goClient := func(name string, least int64, program string, flags ...string) *Client {
		path := filepath.Join(dir, program)
		return &Client{name, least, build, func(ctx context.Context, file, endpoint string) (url, log string, err error) {
			return address(ctx, path, append(flags[:len(flags):len(flags)], file, endpoint)...)
		}}
	}
	var sized []string // a Go client's flags for the chunk
	if chunk > 0 {
		sized = []string{"-chunk", strconv.FormatInt(chunk, 10)}
	}
	with := func(flags ...string) []string { return append(sized[:len(sized):len(sized)], flags...) }
	list := []*Client{
		tusJS("tus-js-client", 0, chunk, 1),
		tusJS("tus-js-client in parallel", 4, chunk, 4),
		goClient("tusgo", 1, "tusgo", sized...),
		goClient("tusgo in parts", 3, "tusgo", with("-parts", "3")...),
		goClient("go-tus", 0, "gotus", sized...),
		{"curl", 0, lacksCurl, curl(chunk)},
	}
	if chunk > 0 {
		return append(list, goClient("tusgo with checksums", 1, "tusgo", with("-checksum", "sha1")...))
	}
	return append(list,
		tusJS("tus-js-client in chunks", 0, 5_000_000, 1),
		goClient("tusgo streaming with a trailer", 1, "tusgo", "-chunk", "0", "-checksum", "sha1"),
		goClient("tusgo with checksums", 1, "tusgo", "-checksum", "sha256"))
}

// Lacks returns nil if the client can run, or an error that says what is missing. It builds the Go clients.
func (c *Client) Lacks() error { return c.lacks() }

// Upload uploads a file to the collection at endpoint and returns the upload's URL. The log is what the client saw on the
// way: for tus-js-client, each answer of 400 and above in a line with "answered by"; for the others, the errors after which
// they went on. It is there with an error, too. Many uploads may run at once.
func (c *Client) Upload(ctx context.Context, file, endpoint string) (url, log string, err error) {
	url, log, err = c.upload(ctx, file, endpoint)
	if err != nil {
		return "", log, errors.Join(ctx.Err(), err)
	}
	return url, log, nil
}

func tusJS(name string, least, chunk int64, parallel int) *Client {
	return &Client{name, least, lacksNode, func(ctx context.Context, file, endpoint string) (url, log string, err error) {
		root, err := moduleRoot()
		if err != nil {
			return "", "", err
		}
		return address(ctx, "node", filepath.Join(root, "tools", "js", "upload.mjs"), file, endpoint, strconv.FormatInt(chunk, 10), strconv.Itoa(parallel))
	}}
}

// address runs a client program that prints its upload's address behind "URL" or "DONE".
func address(ctx context.Context, program string, args ...string) (url, log string, err error) {
	out, log, err := run(exec.CommandContext(ctx, program, args...))
	if err != nil {
		return "", log, err
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 && (f[0] == "URL" || f[0] == "DONE") {
			url = f[1] // the last: with parts, it is the final upload's
		}
	}
	if url == "" {
		return "", log, fmt.Errorf("clients: %s printed no URL: %q", filepath.Base(program), out)
	}
	return url, log, nil
}

// run runs a command to its end, and lets it die with this program.
func run(cmd *exec.Cmd) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	ended, err := servers.Start(cmd)
	if err != nil {
		return "", "", fmt.Errorf("clients: start %s: %w", filepath.Base(cmd.Path), err)
	}
	<-ended
	if cmd.ProcessState.ExitCode() != 0 {
		err = fmt.Errorf("clients: run %s: %s", filepath.Base(cmd.Path), cmd.ProcessState)
	}
	return out.String(), errs.String(), err
}

func lacksNode() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("node"); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "tools", "node_modules", "tus-js-client")); err != nil {
		return fmt.Errorf("clients: find tus-js-client (make clients installs it): %w", err)
	}
	return nil
}

// builder returns what builds the Go clients into dir when it is first called. A build of its own, and not what make clients
// has left behind: that may be older than its sources, and another test may be about to replace it.
func builder(dir string) func() error {
	return sync.OnceValue(func() error {
		root, err := moduleRoot()
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(context.Background(), "go", "-C", filepath.Join(root, "tools", "clients"), "build", "-trimpath", "-buildvcs=false",
			"-o", dir+string(filepath.Separator), "./...")
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("clients: build the Go clients: %w\n%s", err, out)
		}
		return nil
	})
}

// moduleRoot is the directory of the module that the test is run in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("clients: find tools: this is not run from within the module")
		}
	}
}
