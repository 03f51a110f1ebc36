package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheFirestoreEmulatorListens(t *testing.T) {
	if testing.Short() {
		t.Skip("=== SKIPPED: the emulator takes seconds to start ===")
	}
	c, err := net.Dial("tcp", Firestore(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// install.sh must find what there is, and say what is missing: loudly where that may be, with a failure where it must not.
func TestTheFirestoreInstallerSaysWhatIsMissing(t *testing.T) {
	script, err := inModule("tools/firestore/install.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		have     map[string]string // programs, as scripts
		required bool
		want     string
		installs bool
	}{
		{name: "no Java", want: "=== SKIPPED: the Firestore emulator cannot be had: it needs Java"},
		{name: "no Java where it is required", required: true, want: "The Firestore emulator cannot be had: it needs Java"},
		{name: "neither SDK nor npx", have: map[string]string{"java": ""}, want: "nor is there npx"},
		{
			name: "a download that fails where it is required", required: true,
			have: map[string]string{"java": "", "npx": "exit 1"}, want: "could not download it. Install the Cloud SDK's",
		},
		{name: "a download of nothing", have: map[string]string{"java": "", "npx": ""}, want: "have put no jar"},
		{
			name: "a download", have: map[string]string{
				"java": "", "npx": `[ "$3" = setup:emulators:firestore ]
					mkdir -p "$FIREBASE_EMULATORS_PATH"; cd "$FIREBASE_EMULATORS_PATH"
					echo new >cloud-firestore-emulator-v1.10.0.jar; echo old >cloud-firestore-emulator-v1.9.9.jar`,
			}, installs: true, want: "fetching the Firestore emulator by firebase-tools",
		},
		{
			name: "the Cloud SDK", have: map[string]string{
				"java": "", "gcloud": "", "../platform/cloud-firestore-emulator/cloud-firestore-emulator.jar": "# new",
			}, installs: true, want: "the Cloud SDK's",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			bin := filepath.Join(dir, "sdk", "bin")
			for name, body := range tt.have {
				file := filepath.Join(bin, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte("#!/bin/sh\nset -e\n"+body+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, tool := range []string{"bash", "sh", "dirname", "readlink", "mkdir", "ln", "find", "sort", "tail"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					t.Skipf("=== SKIPPED: no %s ===", tool)
				}
				if err := os.MkdirAll(bin, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(script, "bin/emulator.jar")
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + bin}
			if tt.required {
				cmd.Env = append(cmd.Env, "REQUIRE_EMULATORS=1")
			}
			out, err := cmd.CombinedOutput()
			if (err != nil) != tt.required || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v, it says:\n%s", err, out)
			}
			jar, err := os.ReadFile(filepath.Join(dir, "bin", "emulator.jar"))
			if (err == nil) != tt.installs || tt.installs && !strings.Contains(string(jar), "new") {
				t.Errorf("the jar: %q, %v", jar, err)
			}
		})
	}
}
