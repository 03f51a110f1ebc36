package deploy

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// builderMain is what the platform's builder makes of a root package that imports the framework's functions package: it links
// the package, and the framework serves the function that FUNCTION_TARGET names. The builder's own listens on all addresses.
const builderMain = `package main

import (
	"log"
	"os"

	_ "github.com/fileloft/fileloft"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		log.Fatalf("Function failed to start: %v\n", err)
	}
}
`

// The builder of Cloud Run functions takes what it finds in the root of the zip, puts a program beside it that imports the root package,
// and builds that. Here it must build from go.mod and go.sum as they are, without asking for a module.
func TestTheBuilderMakesTheFunctionsOfTheZip(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the functions")
	}
	source := gcfSource(t)
	checkSource(t, source)
	main := filepath.Join(source, "functions.local", "app", "main.go")
	if err := os.MkdirAll(filepath.Dir(main), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, []byte(builderMain), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "main")
	run(t, source, []string{"GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off"}, "go", "build", "-o", program, filepath.Dir(main))

	t.Run("the endpoint answers", func(t *testing.T) {
		res := ask(t, program, "Fileloft", http.MethodOptions, "/files/")
		if res.StatusCode != http.StatusNoContent || res.Header.Get("Tus-Version") != "1.0.0" {
			t.Errorf("OPTIONS is answered %d with %v", res.StatusCode, res.Header)
		}
		limit := matches(t, `var.platform == "function" \? (\d+) : null`, read(t, "infra/terraform/gcp/outputs.tf"))[0]
		if got := res.Header.Get("Upload-Limit"); !strings.Contains(got, "max-append-size="+limit) {
			t.Errorf("the limit is told as %q, and by the module as %s", got, limit)
		}
	})
	t.Run("the sweeper wants POST", func(t *testing.T) {
		if res := ask(t, program, "FileloftSweep", http.MethodGet, "/"); res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET is answered %d", res.StatusCode)
		}
	})
	t.Run("a deployment without a bucket ends at its start", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env = []string{"PORT=" + freePort(t), "FUNCTION_TARGET=Fileloft", "K_SERVICE=fileloft"}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "FILELOFT_GCS_BUCKET") {
			t.Errorf("it says %q, %v; want that FILELOFT_GCS_BUCKET is missing", out, err)
		}
	})
}

// gcfSource unpacks what make gcf-source makes, and sees that a second time makes the same.
func gcfSource(t *testing.T) (dir string) {
	t.Helper()
	zips := t.TempDir()
	var data [2][]byte
	for i, name := range []string{"one.zip", "two.zip"} {
		run(t, root, nil, "make", "--no-print-directory", "gcf-source", "GCF_SOURCE="+filepath.Join(zips, name))
		data[i] = readAll(t, filepath.Join(zips, name))
	}
	if !bytes.Equal(data[0], data[1]) {
		t.Error("no two zips are the same")
	}
	z, err := zip.NewReader(bytes.NewReader(data[0]), int64(len(data[0])))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkSource looks for what the builder stumbles over, and for what is not Google's.
func checkSource(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		for _, bad := range []string{"_test.go", "dynamostate", "s3store", "awsbackend", "sqlitestate", "statetest", "storetest", "gcsfake"} {
			if strings.HasSuffix(path, bad) {
				t.Errorf("the zip has %s", strings.TrimPrefix(path, dir))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("the root has %v, want one file", found)
	}
	file, err := parser.ParseFile(token.NewFileSet(), found[0], nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, file.Name.Name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root has a directory %s, which the builder would import: %v", file.Name.Name, err)
	}
	var imports []string
	for _, i := range file.Imports {
		imports = append(imports, strings.Trim(i.Path.Value, `"`))
	}
	if !slices.Contains(imports, "github.com/GoogleCloudPlatform/functions-framework-go/functions") {
		t.Errorf("the root imports %q: the builder would look for a Go function of the target's name", imports)
	}
}

// ask starts the program as the platform does, asks once, and stops it. The stores' addresses lead nowhere: what is asked here must
// not need them.
func ask(t *testing.T, program, target, method, path string) *http.Response {
	t.Helper()
	port := freePort(t)
	cmd := exec.Command(program)
	cmd.Env = []string{
		"PORT=" + port, "FUNCTION_TARGET=" + target, "K_SERVICE=fileloft", "FILELOFT_GCS_BUCKET=bucket", "FILELOFT_FIRESTORE_PROJECT=project",
		"FILELOFT_GCS_ENDPOINT=http://127.0.0.1:1", "FIRESTORE_EMULATOR_HOST=127.0.0.1:1",
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			_ = cmd.Process.Kill()
			<-ended
			return res
		}
		select {
		case err := <-ended:
			t.Fatalf("the function ended with %v before it answered:\n%s", err, &out)
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			<-ended
			t.Fatalf("the function does not answer:\n%s", &out)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
