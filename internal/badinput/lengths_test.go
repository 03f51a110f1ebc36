package badinput

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Each storage refuses what it could never hold before a byte is sent, and makes nothing beforehand of what it might.
func TestHugeLengths(t *testing.T) {
	notShort(t)
	t.Parallel()
	const (
		most = 1<<63 - 1 // what a length can be
		tib  = 1 << 40
	)
	for _, tt := range []struct {
		cloud
		limit int64 // of the storage
	}{
		{cloud{"files", func(*testing.T) []string { return nil }}, most},
		{clouds[0], 9_999 * 5 << 30}, // S3: 48.8 TiB
		{clouds[1], 5 * tib},         // GCS
		{clouds[2], 50_000 * 4000 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := tt.settings(t)
			for _, max := range []int64{0, 10 << 30} {
				own := env
				limit := tt.limit
				if max > 0 {
					own = append(own, "FILELOFT_MAX_SIZE="+strconv.FormatInt(max, 10))
					limit = max
				}
				s := serve(t, setup{env: own})
				before := used(t, s.dir)
				post := func(text string) answer { return s.do(http.MethodPost, "/files/", nil, "Upload-Length", text) }
				for _, bad := range []string{"9223372036854775808", "1000000000000000000000000000000", "1e30", "-1", "-9223372036854775808", "1e3", "1 000", "1_000", "0x10", "+1", "1.0"} {
					says(t, post(bad), "invalid-header", 400)
				}
				if a := s.do(http.MethodOptions, "/files/", nil); limit < most && a.header.Get("Tus-Max-Size") != strconv.FormatInt(limit, 10) {
					t.Errorf("Tus-Max-Size: %s, want %d", a.header.Get("Tus-Max-Size"), limit)
				}
				if limit < most {
					says(t, post(strconv.FormatInt(limit+1, 10)), "too-large", 413)
					says(t, post(strconv.FormatInt(most, 10)), "too-large", 413)
					// Said late, it is the same.
					late := s.do(http.MethodPost, "/files/", nil, "Upload-Defer-Length", "1")
					at := "/files/" + filepath.Base(late.header.Get("Location"))
					a := s.do(http.MethodPatch, at, nil, "Upload-Offset", "0", "Content-Type", octets, "Upload-Length", strconv.FormatInt(limit+1, 10))
					says(t, a, "too-large", 413)
				}
				// The largest there may be takes its first bytes and costs no more than they do.
				at := s.create(limit)
				if a := s.patch(at, 0, random(1000)); a.status != http.StatusNoContent {
					t.Errorf("the first bytes of %d: %v", limit, a)
				}
				if got := s.offset(at); got != 1000 {
					t.Errorf("offset %d", got)
				}
				if grown := used(t, s.dir) - before; grown > 4<<20 {
					t.Errorf("the data directory has grown by %d", grown)
				}
				says(t, s.do(http.MethodDelete, at, nil), "", http.StatusNoContent)
				s.lives()
			}
		})
	}
}

// used returns how many bytes of the disk the files below dir take.
func used(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return n
}
