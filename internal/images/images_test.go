// Package images tests the container images without a container engine: it builds them, looks into their layers, and starts what is
// in them in a directory that holds nothing else, as the user that they name.
package images

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// A config is what an image says about how it starts.
type config struct {
	Architecture string
	Config       struct {
		User, WorkingDir, StopSignal string
		Entrypoint, Env              []string
		ExposedPorts, Volumes        map[string]struct{}
		Labels                       map[string]string
	}
}

// An image is one that was unpacked.
type image struct {
	dir    string // its files
	names  []string
	config config
}

// build makes the image of a backend and unpacks it.
func build(t *testing.T, backend string) image {
	t.Helper()
	if testing.Short() {
		t.Skip("images take too long to build for -short")
	}
	cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "image-"+backend, "VERSION=v0.0.0-test")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make image-%s: %v\n%s", backend, err, out)
	}
	f, err := os.Open(filepath.Join(root, "dist", "image-"+backend+"-amd64.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := unpack(f, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// unpack reads an archive as docker save writes it: a manifest that names a config and layers.
func unpack(archive io.ReadSeeker, dir string) (image, error) {
	img := image{dir: dir}
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := inArchive(archive, "manifest.json", func(r io.Reader) error { return json.NewDecoder(r).Decode(&manifest) }); err != nil {
		return img, err
	}
	if err := inArchive(archive, manifest[0].Config, func(r io.Reader) error { return json.NewDecoder(r).Decode(&img.config) }); err != nil {
		return img, err
	}
	for _, layer := range manifest[0].Layers {
		err := inArchive(archive, layer, func(r io.Reader) error {
			z, err := gzip.NewReader(r)
			if err != nil {
				return err
			}
			return img.add(tar.NewReader(z))
		})
		if err != nil {
			return img, fmt.Errorf("layer %s: %w", layer, err)
		}
	}
	return img, nil
}

func inArchive(archive io.ReadSeeker, name string, read func(io.Reader) error) error {
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for t := tar.NewReader(archive); ; {
		h, err := t.Next()
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		if h.Name == name {
			return read(t)
		}
	}
}

func (i *image) add(layer *tar.Reader) error {
	for {
		h, err := layer.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		i.names = append(i.names, h.Name)
		path := filepath.Join(i.dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var data []byte
			if data, err = io.ReadAll(layer); err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600))
			}
		}
		if err := errors.Join(err, os.Chmod(path, h.FileInfo().Mode())); err != nil {
			return err
		}
		if os.Getuid() == 0 {
			if err := os.Chown(path, h.Uid, h.Gid); err != nil {
				return err
			}
		}
	}
}

func TestImages(t *testing.T) {
	for _, backend := range []string{"fs", "s3", "gcs", "azure", "all"} {
		t.Run(backend, func(t *testing.T) {
			img := build(t, backend)
			slices.Sort(img.names)
			want := []string{
				"etc/", "etc/group", "etc/passwd", "etc/ssl/certs/", "etc/ssl/certs/ca-certificates.crt", "fileloft", "tmp/", "var/lib/fileloft/",
			}
			if !slices.Equal(img.names, want) {
				t.Errorf("the image holds %q", img.names)
			}
			if roots, err := os.ReadFile(filepath.Join(img.dir, "etc/ssl/certs/ca-certificates.crt")); strings.Count(string(roots), "BEGIN CERTIFICATE") < 50 {
				t.Errorf("the image has no roots of trust: %v", err)
			}
			storage := backend
			if backend == "all" {
				storage = ""
			}
			if c := img.config.Config; !slices.Equal(c.Env, []string{"FILELOFT_STORAGE=" + storage}) {
				t.Errorf("environment %q", c.Env)
			}
			if out, err := img.command(t, "version").CombinedOutput(); err != nil || string(out) != "fileloft v0.0.0-test\n" {
				t.Errorf("version: %v, %s", err, out)
			}
			img.serves(t, backend)
		})
	}
}

// TestTheDockerfileMakesTheSameImage compares what the images made here say of themselves with what the Dockerfile has: no engine
// runs where the tests do.
func TestTheDockerfileMakesTheSameImage(t *testing.T) {
	c := build(t, "fs").config.Config
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, final, ok := strings.Cut(string(text), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the Dockerfile does not end with an image from scratch")
	}
	lines := []string{
		"USER " + c.User, "WORKDIR " + c.WorkingDir, "STOPSIGNAL " + c.StopSignal, fmt.Sprintf("ENTRYPOINT [%q]", c.Entrypoint[0]), "ENV FILELOFT_STORAGE=${STORAGE}",
	}
	for v := range c.Volumes {
		lines = append(lines, "VOLUME "+v)
	}
	for p := range c.ExposedPorts {
		lines = append(lines, "EXPOSE "+p)
	}
	for _, want := range lines {
		if !slices.Contains(strings.Split(final, "\n"), want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	for key, value := range c.Labels {
		pattern := regexp.MustCompile(regexp.QuoteMeta(key) + `="?(` + regexp.QuoteMeta(value) + `|\$\{VERSION\})"?( \\)?\n`)
		if !pattern.MatchString(final) {
			t.Errorf("the Dockerfile lacks the label %s=%s", key, value)
		}
	}
}
