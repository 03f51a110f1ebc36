package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/app"
)

// manifests are the compose project and the objects for Kubernetes, as their own libraries read them; what a test wants of them.
type manifests struct {
	Compose struct {
		Services map[string]struct {
			Environment     map[string]string
			StopGracePeriod string `json:"stop_grace_period"`
		}
	}
	Kubernetes struct {
		ConfigMap  struct{ Data map[string]string }
		Deployment struct {
			Spec struct {
				Template struct {
					Spec struct {
						TerminationGracePeriodSeconds int
						Containers                    []struct {
							Lifecycle struct {
								PreStop struct{ Sleep struct{ Seconds int } }
							}
						}
					}
				}
			}
		}
	}
}

func TestManifests(t *testing.T) {
	if testing.Short() {
		t.Skip("what reads the manifests takes too long to build for -short")
	}
	out := run(t, filepath.Join(root, "tools", "manifests"), nil, "go", "run", ".", "../../infra/compose/compose.yaml", "../../infra/kubernetes")
	var m manifests
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		t.Fatal(err)
	}
	service := m.Compose.Services["fileloft"]
	patience, err := time.ParseDuration(service.StopGracePeriod)
	if err != nil {
		t.Fatal(err)
	}
	stops(t, "compose", settings(t, "fs", service.Environment), patience)
	pod := m.Kubernetes.Deployment.Spec.Template.Spec
	asleep := pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds
	stops(t, "kubernetes", settings(t, "s3", m.Kubernetes.ConfigMap.Data), time.Duration(pod.TerminationGracePeriodSeconds-asleep)*time.Second)
}

// settings reads variables as the image for a backend does.
func settings(t *testing.T, backend string, variables map[string]string) app.Config {
	t.Helper()
	env := app.Env{"FILELOFT_STORAGE=" + backend}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !slices.ContainsFunc(app.Settings(), func(s app.Setting) bool { return s.Env == name }) {
			t.Errorf("there is no setting %s", name)
		}
		env = append(env, name+"="+variables[name])
	}
	c, err := app.Load(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stops holds that the server may use its time to stop.
func stops(t *testing.T, where string, c app.Config, patience time.Duration) {
	t.Helper()
	if patience <= c.ShutdownTimeout {
		t.Errorf("%s: a server that takes %v to stop is killed after %v", where, c.ShutdownTimeout, patience)
	}
}

func TestSystemd(t *testing.T) {
	unit := read(t, "infra/systemd/fileloft.service")
	variables := map[string]string{}
	for line := range strings.Lines(unit) {
		if list, ok := strings.CutPrefix(strings.TrimSpace(line), "Environment="); ok {
			for v := range strings.FieldsSeq(list) {
				name, value, _ := strings.Cut(v, "=")
				variables[name] = value
			}
		}
	}
	var seconds int
	_, rest, _ := strings.Cut(unit, "\nTimeoutStopSec=")
	if _, err := fmt.Sscan(rest, &seconds); err != nil {
		t.Fatal(err)
	}
	stops(t, "systemd", settings(t, "fs", variables), time.Duration(seconds)*time.Second)

	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("=== SKIPPED: systemd-analyze is missing: the units are not verified ===")
	}
	dir := t.TempDir()
	for _, name := range []string{"fileloft.service", "fileloft.socket"} {
		text := strings.ReplaceAll(read(t, "infra/systemd/"+name), "/usr/local/bin/fileloft", "/bin/true") // which is there
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"verify", "--man=no", filepath.Join(dir, "fileloft.socket")},
		{"verify", "--man=no", filepath.Join(dir, "fileloft.service")},
		{"security", "--offline=true", "--threshold=20", filepath.Join(dir, "fileloft.service")}, // 2.0 of 10
	} {
		out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}
