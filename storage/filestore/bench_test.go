//go:build unix

package filestore

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// body is a reader of n bytes in pieces such as come from a network.
type body struct{ left int64 }

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), b.left, 64<<10)
	b.left -= n
	return int(n), nil
}

var sizes = []struct {
	name string
	n    int64
}{{"4KiB", 4 << 10}, {"1MiB", 1 << 20}, {"64MiB", 64 << 20}}

// BenchmarkAppend compares an Append with a plain handler's work: copy the body into a new file, with the same fsync. "first"
// makes an upload's directory and file, "next" continues it, as the PATCHes of a long upload do.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, size := range sizes {
			name := fmt.Sprintf("sync=%v/%s", sync, size.name)
			b.Run(name+"/plain", func(b *testing.B) { benchPlain(b, sync, size.n) })
			b.Run(name+"/first", func(b *testing.B) { benchAppend(b, sync, size.n, true) })
			b.Run(name+"/next", func(b *testing.B) { benchAppend(b, sync, size.n, false) })
		}
	}
}

func benchPlain(b *testing.B, sync bool, n int64) {
	dir := b.TempDir()
	b.SetBytes(n)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			b.Fatal(err)
		}
		_, err = io.Copy(f, &body{n})
		if err == nil && sync {
			err = f.Sync()
		}
		if err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
		b.StopTimer()
		_ = os.Remove(f.Name())
		i++
		b.StartTimer()
	}
}

func benchAppend(b *testing.B, sync bool, n int64, first bool) {
	s := newStore(b, b.TempDir(), &Options{NoSync: !sync})
	b.SetBytes(n)
	b.ReportAllocs()
	lease := tus.Lease{Epoch: 1, Upload: tus.Upload{ID: tus.NewID(), Birth: "b", Length: 1 << 40}}
	if !first {
		rec, err := s.Append(b.Context(), lease, &body{64 << 10})
		if err != nil {
			b.Fatal(err)
		}
		lease.Upload.Cursor, lease.Upload.Offset = rec.Cursor, rec.N
	}
	for b.Loop() {
		if !first {
			lease.Epoch++
		}
		rec, err := s.Append(b.Context(), lease, &body{n})
		if err != nil || rec.N != n {
			b.Fatal(rec.N, err)
		}
		b.StopTimer()
		if first {
			_ = s.Remove(b.Context(), lease)
			lease.Upload.ID = tus.NewID()
		} else if n > 1<<20 { // fresh blocks every time, as for the others
			_ = os.Truncate(piece(s, &lease.Upload, "1"), 64<<10)
		}
		b.StartTimer()
	}
}

// BenchmarkComplete shows what reading back costs.
func BenchmarkComplete(b *testing.B) {
	for _, v := range []Verify{VerifyNever, VerifyAlways} {
		for _, sync := range []bool{false, true} {
			for _, size := range sizes {
				b.Run(fmt.Sprintf("sync=%v/verify=%v/%s", sync, v == VerifyAlways, size.name), func(b *testing.B) {
					benchComplete(b, &Options{NoSync: !sync, Verify: v}, size.n)
				})
			}
		}
	}
}

func benchComplete(b *testing.B, opt *Options, n int64) {
	s := newStore(b, b.TempDir(), opt)
	b.SetBytes(n)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		lease := tus.Lease{Epoch: 1, Upload: tus.Upload{ID: tus.NewID(), Birth: "b", Length: n}}
		rec, err := s.Append(b.Context(), lease, &body{n})
		if err != nil {
			b.Fatal(err)
		}
		lease.Upload.Cursor, lease.Upload.Offset, lease.Upload.Phase = rec.Cursor, rec.N, tus.Sealed
		b.StartTimer()
		if _, err := s.Complete(b.Context(), lease); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Remove(b.Context(), lease); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkUpload is a whole upload of 4 KiB, Append and Complete. Of a longer run the shards are a small part.
func BenchmarkUpload(b *testing.B) {
	for _, sync := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%v", sync), func(b *testing.B) {
			s := newStore(b, b.TempDir(), &Options{NoSync: !sync})
			b.ReportAllocs()
			for b.Loop() {
				lease := tus.Lease{Epoch: 2, Upload: tus.Upload{ID: tus.NewID(), Birth: "b", Length: 4 << 10}}
				rec, err := s.Append(b.Context(), lease, &body{lease.Upload.Length})
				if err != nil {
					b.Fatal(err)
				}
				lease.Upload.Cursor, lease.Upload.Offset, lease.Upload.Phase = rec.Cursor, rec.N, tus.Sealed
				if _, err := s.Complete(b.Context(), lease); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
