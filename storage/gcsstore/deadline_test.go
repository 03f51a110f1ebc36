package gcsstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// Where the time is short a body is cut off while there is time to send what was read: that counts, and the rest is not begun.
func TestABodyIsCutOffWhileWhatWasReadCanBeSent(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		name    string
		chunk   int64
		size    int
		time    time.Duration
		from    int64         // at least so much counts
		to      int64         // and at most so much: what 4 MiB/s are reckoned to take in that time
		spare   time.Duration // what is left of the time: a chunk on its way is reckoned with, and takes next to nothing here
		request string
	}{
		{"there is time", 8 * mib, 1 * mib, time.Second, 1 * mib, 1 * mib, 0, "objects.insert"},
		{"there is time for some", 8 * mib, 7 * mib, time.Second, 3 * mib / 2, 2 * mib, 0, "objects.insert"},
		{"there is time for a few chunks", 2 * mib, 8 << 30, 3 * time.Second, 2 * mib, 7 << 30, 1400 * time.Millisecond, "sessions.write"},
		{"there is no time", 8 * mib, 1 * mib, 2 * time.Millisecond, 0, 0, 0, ""},
	} {
		s, f := onFake(t, Options{ChunkSize: tt.chunk}, gcsfake.Options{Discard: true})
		p := newUpload(t, s, tus.Unknown)
		ctx, cancel := context.WithTimeout(t.Context(), tt.time)
		r, err := s.Append(ctx, p.lease, &zeros{left: int64(tt.size)})
		end, _ := ctx.Deadline()
		spare := time.Until(end)
		cancel()
		if r.N < tt.from || r.N > tt.to || (err == nil) != (r.N == int64(tt.size)) || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %d of %d bytes count, %v", tt.name, r.N, tt.size, err)
		}
		if tt.to > 0 && spare < tt.spare {
			t.Errorf("%s: it came back with %s left", tt.name, spare)
		}
		used := f.Used()
		if tt.request == "" && len(used) > 0 || tt.request != "" && used[tt.request] == 0 {
			t.Errorf("%s: %v", tt.name, used)
		}
	}
}

// A client that sends, and then nothing until there is hardly any time left: what it sent is not begun to be stored.
func TestWhatWouldComeTooLateIsNotSent(t *testing.T) {
	s, f := onFake(t, Options{}, gcsfake.Options{})
	p := newUpload(t, s, tus.Unknown)
	ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
	defer cancel()
	slow := readerFunc(func(b []byte) (int, error) {
		time.Sleep(1050 * time.Millisecond)
		return copy(b, strings.Repeat("x", 16<<10)), errors.New("the connection broke")
	})
	r, err := s.Append(ctx, p.lease, &twoStep{strings.NewReader(strings.Repeat("x", 1<<20)), slow})
	if r.N != 0 || !errors.Is(err, context.DeadlineExceeded) || len(f.Used()) > 0 {
		t.Errorf("%d bytes count, %v; %v", r.N, err, f.Used())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

type twoStep struct {
	first *strings.Reader
	then  readerFunc
}

func (r *twoStep) Read(b []byte) (int, error) {
	if r.first.Len() > 0 {
		return r.first.Read(b)
	}
	return r.then(b)
}
