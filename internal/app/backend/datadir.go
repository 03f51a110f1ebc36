package backend

import (
	"os"
	"path/filepath"
)

// The places where data goes that nobody chose a directory for.
const (
	systemDir = "/var/lib/fileloft"
	localDir  = "data"
)

// DataDir decides where data goes and says why, for the log: where it was told to, else in the system's place if
// that can be written, else beside the working directory. It makes the system's place if it can.
func DataDir(chosen string) (dir, why string) { return dataDir(chosen, writable) }

func dataDir(chosen string, writable func(dir string) bool) (dir, why string) {
	switch {
	case chosen != "":
		return chosen, "it was configured"
	case writable(systemDir):
		return systemDir, "no directory was configured and this one can be written"
	}
	if abs, err := filepath.Abs(localDir); err == nil {
		return abs, "no directory was configured and " + systemDir + " cannot be written"
	}
	return localDir, "no directory was configured and " + systemDir + " cannot be written"
}

// writable tries: permission bits do not tell of read-only mounts, quotas and access lists.
func writable(dir string) bool {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return false
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return false
	}
	_ = f.Close() // it was opened, that is the answer
	return os.Remove(f.Name()) == nil
}
