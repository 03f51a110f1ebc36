// Lambdazip packs a program as AWS Lambda wants it: a zip with one executable file named bootstrap. The same program makes the
// same zip, byte for byte, on every machine and at any time, so that a deployment shows whether anything has changed.
//
//	lambdazip ZIP PROGRAM
package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: lambdazip ZIP PROGRAM")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "lambdazip:", err)
		os.Exit(1)
	}
}

// run packs the program and tells how large both are.
func run(out io.Writer, to, program string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pack(f, data); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	const mib = 1 << 20
	fmt.Fprintf(out, "%-24s %6.1f MiB, unpacked %.1f MiB\n", to, float64(info.Size())/mib, float64(len(data))/mib)
	return nil
}

// pack writes the zip. The time is the earliest that the format knows; the mode is what makes the file executable.
func pack(w io.Writer, program []byte) error {
	z := zip.NewWriter(w)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o755)
	f, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	if _, err := f.Write(program); err != nil {
		return err
	}
	return z.Close()
}
