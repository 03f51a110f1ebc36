package badinput

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// fill takes all the space that is left of a disk, and returns what gives it back.
func (d *disk) fill(dir string) (free func()) {
	d.t.Helper()
	ballast := filepath.Join(d.top, dir, "ballast")
	f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for b := make([]byte, 4096); err == nil; {
		_, err = f.Write(b)
	}
	return func() {
		d.t.Helper()
		if err := os.Remove(ballast); err != nil {
			d.t.Fatal(err)
		}
	}
}

// refused sends what is missing into a full disk. Who is still sending while the answer comes may see the connection end before it:
// that one asks again, with less.
func (s *server) refused(at string, data []byte) {
	s.t.Helper()
	for n := len(data); ; n = 1000 {
		off := s.offset(at)
		a, err := s.try(http.MethodPatch, at, bytes.NewReader(data[off:min(off+int64(n), int64(len(data)))]),
			"Upload-Offset", strconv.FormatInt(off, 10), "Content-Type", octets)
		if err == nil && a.status != http.StatusNoContent {
			says(s.t, a, "no-space", http.StatusInsufficientStorage)
			return
		}
	}
}

// A disk of 8 MiB that holds everything is full: whoever sends more is told so in plain words, what was acknowledged stays, HEAD and DELETE
// work, and when there is space the same upload goes on.
func TestDiskFull(t *testing.T) {
	notShort(t)
	for _, tt := range []struct {
		name  string
		body  int  // sent into a disk of 8 MiB
		early bool // the disk is full before the first upload is
	}{
		{name: "by one long body", body: 12 << 20},
		{name: "by others, before the first byte", body: 3 << 20, early: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d := onDisk(t, setup{dir: dir}, map[string]string{dir: "8m"})
			data := random(tt.body)
			d.unharmed()
			other := d.create(2 << 20)
			if a := d.patch(other, 0, data[:1<<20]); a.status != http.StatusNoContent {
				t.Fatal(a)
			}
			at := d.create(int64(len(data)))
			free := func() {}
			if tt.early {
				free = d.fill(dir)
			}
			d.refused(at, data)
			told := d.offset(at)
			t.Logf("offset %d of %d", told, len(data))
			if !tt.early {
				free = d.fill(dir)
			}
			// To the last byte: nothing can be written any more. All that needs no space works.
			d.refused(at, data)
			if got := d.offset(at); got < told {
				t.Errorf("offset %d after %d", got, told)
			}
			if got := d.offset(other); got != 1<<20 {
				t.Errorf("another's offset: %d", got)
			}
			made := d.do(http.MethodPost, "/files/", nil, "Upload-Length", "1")
			says(t, made, "", http.StatusCreated, http.StatusInsufficientStorage)
			before := used(t, filepath.Join(d.top, dir))
			says(t, d.do(http.MethodDelete, other, nil), "", http.StatusNoContent)
			says(t, d.do(http.MethodHead, other, nil), "", http.StatusNotFound)
			if after := used(t, filepath.Join(d.top, dir)); after > before-(1<<20) {
				t.Errorf("DELETE of 1 MiB: %d bytes used before, %d after", before, after)
			}
			free()
			within(t, "new uploads are taken again", func() bool { path, _, _ := d.tryCreate(1); return path != "" })
			if len(data) > 8<<20 { // it can never fit: it goes, and makes room
				says(t, d.do(http.MethodDelete, at, nil), "", http.StatusNoContent)
				at, data = d.create(3<<20), data[:3<<20]
			}
			d.resume(at, data)
			d.unharmed()
		})
	}
}

// The disk of the records is full, that of the bytes is not. Nothing that was acknowledged is lost, and it goes on when there is space.
func TestDiskOfRecordsFull(t *testing.T) {
	notShort(t)
	t.Parallel()
	dir, records := t.TempDir(), t.TempDir()
	d := onDisk(t, setup{dir: dir, env: []string{"FILELOFT_SQLITE_FILE=" + filepath.Join(records, "fileloft.db")}}, map[string]string{records: "3m"})
	data := random(1 << 20)
	at := d.create(int64(len(data)))
	if a := d.patch(at, 0, data[:1000]); a.status != http.StatusNoContent {
		t.Fatal(a)
	}
	free := d.fill(records)
	statuses := map[int]int{}
	var made []string
	for statuses[http.StatusInsufficientStorage] < 3 && len(made) < 2000 { // records until there is no space for one more
		path, a, err := d.tryCreate(10)
		if err != nil {
			t.Fatal(err)
		}
		if statuses[a.status]++; path != "" {
			made = append(made, path)
			continue
		}
		says(t, a, "no-space", http.StatusInsufficientStorage)
	}
	t.Logf("creations by status: %v", statuses)
	if statuses[http.StatusInsufficientStorage] == 0 {
		t.Error("the disk is not full: nothing was tested")
	}
	a := d.patch(at, 1000, data[1000:])
	if a.status != http.StatusNoContent { // what is there may change as long as the reserve lasts
		says(t, a, "no-space", http.StatusInsufficientStorage)
	}
	if got := d.offset(at); got < 1000 {
		t.Errorf("offset %d, acknowledged were 1000", got)
	}
	for _, path := range made[:min(3, len(made))] {
		says(t, d.do(http.MethodDelete, path, nil), "", http.StatusNoContent)
	}
	free()
	if a.status == http.StatusNoContent {
		d.holds(at, data)
	} else {
		d.resume(at, data)
	}
	within(t, "new uploads are taken again", func() bool { path, _, _ := d.tryCreate(1); return path != "" })
	d.unharmed()
}

// A file may not grow beyond RLIMIT_FSIZE: to the sender that is a full disk.
func TestFileSizeLimit(t *testing.T) {
	notShort(t)
	t.Parallel()
	const limit = 4 << 20
	s := serve(t, setup{within: []string{"fsize=" + strconv.Itoa(limit)}})
	s.unharmed()
	data := random(6 << 20)
	at := s.create(int64(len(data)))
	s.refused(at, data)
	told := s.offset(at)
	if told > limit {
		t.Errorf("offset %d", told)
	}
	t.Logf("offset %d of %d", told, len(data))
	s.refused(at, data)
	says(t, s.do(http.MethodDelete, at, nil), "", http.StatusNoContent)
	s.unharmed()
}
