// Package docs runs the commands of the README and of the pages in docs as a reader would: pasted, in their order, in one shell.
//
// Above each sh block the page's source says what becomes of it, in a comment:
//
//	<!-- run -->                     this test runs it, and the text block behind it, if there is one, has lines that it prints
//	<!-- run by TestName -->         another test runs it, or what it stands for
//	<!-- not run: the reason -->     nobody can run it here
package docs

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/app"
)

const root = "../.."

// A block is a sh block of a page.
type block struct {
	line   int
	fate   string // the comment above it
	script string
	prints []string
}

var (
	fence = regexp.MustCompile("(?s)(?:<!-- ([^\n]*) -->\n)?```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")
	byWho = regexp.MustCompile(`^run by (Test\w+)$`)
)

func blocks(page string) []block {
	var list []block
	for _, m := range fence.FindAllStringSubmatchIndex(page, -1) {
		b := block{line: 1 + strings.Count(page[:m[0]], "\n"), script: page[m[4]:m[5]]}
		if m[2] >= 0 {
			b.fate = page[m[2]:m[3]]
		}
		if m[6] >= 0 {
			b.prints = strings.Split(strings.TrimSpace(page[m[6]:m[7]]), "\n")
		}
		list = append(list, b)
	}
	return list
}

func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(files) < 5 {
		t.Fatalf("pages: %v, %v", files, err)
	}
	all := map[string]string{}
	for _, f := range append(files, filepath.Join(root, "README.md")) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(filepath.Dir(f))+"/"+filepath.Base(f)] = string(b)
	}
	return all
}

// TestEveryCommandSaysWhetherItIsRun is what keeps the promise of docs/README.md.
func TestEveryCommandSaysWhetherItIsRun(t *testing.T) {
	tests := testNames(t)
	for name, page := range pages(t) {
		for _, b := range blocks(page) {
			who := byWho.FindStringSubmatch(b.fate)
			switch {
			case b.fate == "run":
			case who != nil:
				if !tests[who[1]] {
					t.Errorf("%s:%d: there is no %s", name, b.line, who[1])
				}
			case strings.HasPrefix(b.fate, "not run: "):
			default:
				t.Errorf("%s:%d: nothing says whether this is run:\n%s", name, b.line, b.script)
			}
		}
	}
}

// testNames are the names of all tests of this module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A variable that a page names exists. Those that end with an underscore stand for several.
func TestEveryVariableExists(t *testing.T) {
	known := map[string]bool{}
	for _, s := range app.Settings() {
		known[s.Env] = true
	}
	named := regexp.MustCompile(`\bFILELOFT_[A-Z0-9_]+[A-Z0-9]\b`)
	for name, page := range pages(t) {
		for _, v := range named.FindAllString(page, -1) {
			if !known[v] && !strings.HasPrefix(v, "FILELOFT_TEST_") {
				t.Errorf("%s: there is no setting %s", name, v)
			}
		}
	}
}

// A page that leads nowhere is worse than none.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for name, page := range pages(t) {
		dir := filepath.Join(root, "docs")
		if !strings.HasPrefix(name, "docs/") {
			dir = root
		}
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(dir, m[1])); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, m[0])
			}
		}
	}
}

// TestCommands runs the pages' commands, one shell for each page, with the server under the name fileloft.
func TestCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("servers take longer than -short allows")
	}
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "fileloft"), root+"/cmd/fileloft").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, page := range pages(t) {
		var script strings.Builder
		var want []string
		for _, b := range blocks(page) {
			if b.fate == "run" {
				script.WriteString(b.script)
				want = append(want, b.prints...)
			}
		}
		if script.Len() == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			addr := freeAddr(t)
			out, err := paste(t, bin, addr, strings.ReplaceAll(script.String(), "localhost:8080", addr))
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, line := range want {
				if !strings.Contains(out, line) {
					t.Errorf("no line with %q in\n%s", line, out)
				}
			}
		})
	}
}

// paste runs a script in bash, and ends what it leaves behind.
func paste(t *testing.T, bin, addr, script string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "FILELOFT_BIND="+addr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second // a server in the background keeps the output open
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	limit := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // the group that it leads
	defer limit.Stop()
	state, err := cmd.Process.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nobody may be left
	_ = cmd.Wait()                                      // for the output; the process has been waited for
	if err == nil && !state.Success() {
		err = fmt.Errorf("it ended with %v", state)
	}
	return out.String(), err
}

func freeAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
