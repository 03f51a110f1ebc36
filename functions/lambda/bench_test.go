package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/memstate"
	"github.com/fileloft/fileloft/storage/memstore"
	"github.com/fileloft/fileloft/tus"
)

// discard is a storage that takes everything in and keeps nothing.
type discard struct{ *memstore.Store }

func (discard) Append(_ context.Context, l tus.Lease, r io.Reader) (tus.Receipt, error) {
	n, err := io.Copy(io.Discard, r)
	return tus.Receipt{N: n, NextSlot: l.Slots.First}, err
}

// What a PATCH of the largest chunk costs in the function itself: the event decoded, the body decoded, digested and handed
// over. Stores cost nothing here.
func BenchmarkPatchOf4MiB(b *testing.B) {
	c, err := app.Load(app.Env{"FILELOFT_S3_BUCKET=unused"}, presets)
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	a, err := app.New(c, memstate.New(nil), discard{memstore.New(nil)}, &app.Options{Log: log, NoTrailers: true, Origin: origin})
	if err != nil {
		b.Fatal(err)
	}
	f := &function{app: a, base: c.BasePath, log: log}
	const size = 4 << 20
	event := v2("abc.execute-api.eu-west-1.amazonaws.com", "$default", "")
	call := func(e object) reply {
		in, err := json.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		out, err := f.Invoke(b.Context(), in)
		b.StopTimer()
		var r reply
		if err != nil || json.Unmarshal(out, &r) != nil {
			b.Fatal(string(out), err)
		}
		return r
	}
	b.StopTimer()
	loc := call(event("POST", "/files/", "", map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": strconv.Itoa(1 << 50)})).header("Location")
	path := loc[strings.Index(loc, "/files/"):]
	body := base64.StdEncoding.EncodeToString(make([]byte, size))
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r := call(event("PATCH", path, body, map[string]string{
			"Tus-Resumable": "1.0.0", "Upload-Offset": strconv.Itoa(i * size), "Content-Type": octets,
		}))
		if r.StatusCode != 204 {
			b.Fatalf("%+v", r)
		}
	}
}
