package gcsstore

import (
	"errors"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/tus"
)

// A walk over a server that others wrote, for what it knows of the API: that the requests are understood, and the bytes come back.
func TestAServerOfOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server does not run under -short")
	}
	url := servers.GCS(t)
	client, err := storage.NewClient(t.Context(), option.WithEndpoint(url+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Bucket("walk").Create(t.Context(), "project", nil); err != nil {
		t.Fatal(err)
	}
	s, err := New(client, "walk", &Options{ChunkSize: quantum, Prefix: "in/"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	var parts []tus.Upload
	all := ""
	for n, bodies := range [][]string{
		{"a few bytes"},
		{strings.Repeat("one chunk and more", 3*quantum/17)},
		strings.Split(strings.Repeat("forty bodies,", 40), ",")[:40],
	} {
		p := newUpload(t, s, tus.Unknown)
		p.lease.Upload.Concat.Role = tus.Partial
		for _, body := range bodies {
			p.append(body)
		}
		if err := p.complete(); err != nil {
			t.Fatalf("upload %d: %v", n, err)
		}
		want := strings.Join(bodies, "")
		if got := object(t, p); got != want {
			t.Errorf("upload %d: %d bytes come back of %d", n, len(got), len(want))
		}
		parts, all = append(parts, p.lease.Upload), all+want
	}
	final := newUpload(t, s, int64(len(all)))
	u := &final.lease.Upload
	u.Concat.Role, u.Offset, u.Phase = tus.Final, u.Length, tus.Sealed
	if _, err := s.Concat(t.Context(), final.lease, parts); err != nil {
		t.Fatal(err)
	}
	if got := object(t, final); got != all {
		t.Errorf("joined: %d bytes come back of %d", len(got), len(all))
	}
	u.Phase = tus.Doomed
	if err := s.Remove(t.Context(), final.lease); err != nil {
		t.Error(err)
	}
	if _, err := s.Open(t.Context(), *u, 0, 1); !errors.Is(err, tus.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}
