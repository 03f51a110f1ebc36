package deploy

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// run runs a program and returns what it says.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &out, &errs)
	}
	return out.String()
}

// cfn-lint cannot be pinned with what Go and Node install, so it is used where it is.
func TestCfnLintFindsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	if _, err := exec.LookPath("cfn-lint"); err != nil {
		t.Skip("=== SKIPPED: template.yaml is not linted: there is no cfn-lint ===")
	}
	run(t, root, nil, "cfn-lint", "template.yaml")
}

// registry has the test ask Terraform's registry for the real provider.
const registry = "FILELOFT_TEST_TERRAFORM_REGISTRY"

// Each module's own tests are in its directory tests. They run on a mocked provider, of which only the schema is needed: beside
// the checkout there may be one that has nothing else.
func TestTerraformModules(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute or two")
	}
	for cloud, files := range map[string][]string{"aws": {"doors", "data", "functions"}, "gcp": {"data", "functions"}, "azure": {"data", "functions"}} {
		t.Run(cloud, func(t *testing.T) { testTerraform(t, cloud, files) })
	}
}

func testTerraform(t *testing.T, cloud string, files []string) {
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skipf("=== SKIPPED: infra/terraform/%s is not tested: there is no terraform ===", cloud)
	}
	var env []string
	schemas, err := filepath.Abs(filepath.Join(root, "..", "shared", "tfcheck", "setup.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(schemas); err == nil {
		line := run(t, root, nil, "bash", schemas)
		env = []string{"TF_CLI_CONFIG_FILE=" + matches(t, `TF_CLI_CONFIG_FILE='(.*)'`, line)[0]}
	} else if os.Getenv(registry) == "" {
		t.Skipf("=== SKIPPED: infra/terraform/%s is not tested: no provider; %s=1 takes the real one ===", cloud, registry)
	}
	dir := filepath.Join(t.TempDir(), cloud) // init writes files
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "infra", "terraform", cloud))); err != nil {
		t.Fatal(err)
	}
	run(t, dir, env, "terraform", "fmt", "-check", "-diff", "-recursive")
	run(t, dir, env, "terraform", "init", "-backend=false", "-input=false", "-no-color")
	run(t, dir, env, "terraform", "validate", "-no-color")
	out := run(t, dir, env, "terraform", "test", "-no-color")
	// As many as there are: a file that terraform does not find tests nothing.
	runs := 0
	for _, file := range files {
		runs += len(matches(t, `(?m)^run "(\w+)"`, read(t, "infra/terraform/"+cloud+"/tests/"+file+".tftest.hcl")))
	}
	if passed := strings.Count(out, "... pass\n") - len(files); passed != runs {
		t.Errorf("%d of %d runs passed:\n%s", passed, runs, out)
	}
}

// machines are the template's architectures.
var machines = map[string]struct {
	goarch  string
	machine elf.Machine
}{
	"arm64":  {"arm64", elf.EM_AARCH64},
	"x86_64": {"amd64", elf.EM_X86_64},
}

// This is what sam build does: it runs make in the working directory with the Makefile of CodeUri, and packs what comes to
// lie in ARTIFACTS_DIR.
func TestSamBuildMakesARunnableProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the function three times")
	}
	template := read(t, "template.yaml")
	for _, function := range []string{"Endpoint", "Sweeper"} {
		text, err := section(template, "Resources", function)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"BuildMethod: makefile\n", "WorkingDirectory: .\n", "CodeUri: !Sub infra/sam/${Architecture}\n"} {
			if !strings.Contains(text, want) {
				t.Fatalf("%s does not say %q: this test builds something else", function, want)
			}
		}
	}
	param, err := section(template, "Parameters", "Architecture")
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range strings.Split(matches(t, `AllowedValues: \[(.*)\]`, param)[0], ", ") {
		t.Run(arch, func(t *testing.T) { buildFor(t, arch) })
	}
}

func buildFor(t *testing.T, arch string) {
	want, ok := machines[arch]
	if !ok {
		t.Fatalf("the architecture %s is not tested", arch)
	}
	program := samBuild(t, arch, "Endpoint")
	checkProgram(t, program, want.machine)
	if want.goarch != runtime.GOARCH || runtime.GOOS != "linux" {
		return
	}
	checkStarts(t, program)
	// Whoever edits a source in the middle of the test changes the program, so there is a second chance.
	for range 3 {
		again := samBuild(t, arch, "Sweeper")
		if bytes.Equal(readAll(t, program), readAll(t, again)) {
			return
		}
		program = again
	}
	t.Error("no two builds are the same")
}

func samBuild(t *testing.T, arch, function string) (program string) {
	t.Helper()
	artifacts := filepath.Join(t.TempDir(), "with a space")
	if err := os.Mkdir(artifacts, 0o755); err != nil {
		t.Fatal(err)
	}
	makefile, err := filepath.Abs(filepath.Join(root, "infra", "sam", arch, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, root, []string{"ARTIFACTS_DIR=" + artifacts}, "make", "--makefile", makefile, "build-"+function)
	files, err := os.ReadDir(artifacts)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || files[0].Name() != "bootstrap" {
		t.Fatalf("there are %v instead of bootstrap", files)
	}
	return filepath.Join(artifacts, "bootstrap")
}

// maxProgram is how large the program may be: it is read at every cold start.
const maxProgram = 20 << 20

func checkProgram(t *testing.T, program string, machine elf.Machine) {
	t.Helper()
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxProgram || info.Mode()&0o111 != 0o111 {
		t.Errorf("%d bytes of mode %v: allowed are %d, executable for all", info.Size(), info.Mode(), maxProgram)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine || f.Class != elf.ELFCLASS64 {
		t.Errorf("it is for %v", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Error("it is linked dynamically: Lambda may have another C library")
		}
	}
	if f.Section(".symtab") != nil || f.Section(".debug_info") != nil || f.Section(".zdebug_info") != nil {
		t.Error("it is not stripped")
	}
}

// checkStarts starts it with nothing set. It says what is missing, in a sentence.
func checkStarts(t *testing.T, program string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err == nil || !regexp.MustCompile(`FILELOFT_S3_BUCKET`).Match(out) {
		t.Errorf("it says %q, %v; want that FILELOFT_S3_BUCKET is missing", out, err)
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
