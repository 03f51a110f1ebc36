// Image makes a container image of the server without a container engine: an archive that docker load, podman load and crane push take.
// The Dockerfile makes the same image where there is an engine. The same program makes the same archive, byte for byte.
//
//	image -backend s3 -arch arm64 -version v1.2.3 ARCHIVE PROGRAM
package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	backend := flag.String("backend", "all", "`NAME` of the backend: fs, s3, gcs, azure or all")
	arch := flag.String("arch", "amd64", "`ARCH` of the program: amd64 or arm64")
	version := flag.String("version", "devel", "the program's `VERSION`, for the image's labels")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: image [-backend NAME] [-arch ARCH] [-version VERSION] ARCHIVE PROGRAM")
		os.Exit(2)
	}
	if err := run(*backend, *arch, *version, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(backend, arch, version, archive, program string) error {
	binary, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	system, err := layer(systemFiles())
	if err != nil {
		return err
	}
	app, err := layer([]file{{name: "fileloft", mode: 0o755, data: binary}})
	if err != nil {
		return err
	}
	img, err := mutate.AppendLayers(empty.Image, system, app)
	if err != nil {
		return err
	}
	if img, err = mutate.ConfigFile(img, config(img, backend, arch, version)); err != nil {
		return err
	}
	tag, err := name.NewTag("fileloft:" + backend)
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(archive, tag, img); err != nil {
		return err
	}
	info, err := os.Stat(archive)
	if err != nil {
		return err
	}
	fmt.Printf("%-32s %6.1f MiB\n", archive, float64(info.Size())/(1<<20))
	return nil
}

// user is nobody's: the image has no other, and no shell.
const user = 65532

// config says how the server starts. It is the Dockerfile's, line by line.
func config(img v1.Image, backend, arch, version string) *v1.ConfigFile {
	c, err := img.ConfigFile()
	if err != nil {
		panic(err) // an image in memory has one
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", arch
	c.Created = v1.Time{Time: epoch}
	c.Config = v1.Config{
		User:         fmt.Sprintf("%d:%[1]d", user),
		Entrypoint:   []string{"/fileloft"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Volumes:      map[string]struct{}{"/var/lib/fileloft": {}},
		WorkingDir:   "/var/lib/fileloft",
		StopSignal:   "SIGTERM",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "fileloft",
			"org.opencontainers.image.description": "A tus resumable-upload server",
			"org.opencontainers.image.licenses":    "MIT",
			"org.opencontainers.image.source":      "https://github.com/fileloft/fileloft",
			"org.opencontainers.image.version":     version,
		},
	}
	storage := backend
	if storage == "all" {
		storage = "" // counts as not set
	}
	c.Config.Env = []string{"FILELOFT_STORAGE=" + storage}
	return c
}

// epoch is the time of everything in the image, so that the same program makes the same bytes.
var epoch = time.Unix(0, 0).UTC()

// A file is an entry of a layer; a directory's name ends with a slash.
type file struct {
	name  string
	mode  int64
	owner int
	data  []byte
}

// systemFiles are what a static program wants of a system: roots of trust, a user, and a directory of its own.
func systemFiles() []file {
	var roots bytes.Buffer
	for r := range bundle.Roots() {
		_ = pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}) // memory takes everything
	}
	return []file{
		{name: "etc/", mode: 0o755},
		{name: "etc/passwd", mode: 0o644, data: fmt.Appendf(nil, "fileloft:x:%d:%[1]d:fileloft:/var/lib/fileloft:/sbin/nologin\n", user)},
		{name: "etc/group", mode: 0o644, data: fmt.Appendf(nil, "fileloft:x:%d:\n", user)},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots.Bytes()},
		{name: "tmp/", mode: 0o1777},
		{name: "var/lib/fileloft/", mode: 0o750, owner: user},
	}
}

func layer(files []file) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.data)), ModTime: epoch, Format: tar.FormatPAX}
		h.Typeflag = tar.TypeReg
		if f.data == nil {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}
