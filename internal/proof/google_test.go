package proof

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fileloft/fileloft/internal/faults"
	"github.com/fileloft/fileloft/internal/servers"
	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/storage/gcsstore"
	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// Where the fleet's uploads are in Google's cloud.
const (
	googleProject = "proof"
	googleBucket  = "uploads"
	googlePrefix  = "up/"
	openSession   = "open session: "
)

// onGoogle is three instances of Google's function, and one that sweeps, over the fake of Cloud Storage and Google's emulator of Firestore.
func onGoogle(t testing.TB) *setup {
	database, err := servers.StartFirestore(context.WithoutCancel(t.Context()))
	servers.Require(t, "the Firestore emulator", err)
	t.Cleanup(database.Stop)
	fake := gcsfake.New(nil, googleBucket)
	gcs, err := fake.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gcs.Close()
		t.Logf("Cloud Storage was asked for %v, and ends with %d sessions", fake.Used(), len(fake.Sessions(googleBucket)))
	})
	objects, records := between(t, "gcs", gcs.URL), between(t, "firestore", "http://"+database.Addr)
	program := build(t, "functions/gcf/cmd/fileloft-gcf")
	function := func(target, probe string) *process {
		return startProcess(t, probe, func(addr string) *exec.Cmd {
			cmd := exec.Command(program)
			cmd.Env = append([]string{
				"FILELOFT_BIND=" + addr, "FUNCTION_TARGET=" + target, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
				"FIRESTORE_EMULATOR_HOST=" + records.Addr(), "FILELOFT_FIRESTORE_PROJECT=" + googleProject,
				"FILELOFT_GCS_BUCKET=" + googleBucket, "FILELOFT_GCS_PREFIX=" + googlePrefix, "FILELOFT_GCS_ENDPOINT=" + objects.URL(),
				"FILELOFT_GCS_CHUNK_SIZE=512KiB", // many resumable uploads, of many chunks
			}, settings...)
			return cmd
		})
	}
	f := &processes{path: "/files/"}
	for range 3 {
		f.all = append(f.all, function("Fileloft", "/healthz"))
	}
	sweepNow(t, "http://"+function("FileloftSweep", "/").addr)
	return &setup{
		name: "Cloud Storage (a fake), Firestore (emulator)", fleet: f, checksums: true, body: 32<<20 - 64<<10, // the platform's limit
		stores: inGoogle(t, fake, gcs, database.Addr), proxies: []*faults.Proxy{objects, records},
	}
}

// sweepNow asks for a sweep by POST, as Cloud Scheduler does, much more often.
func sweepNow(t testing.TB, url string) {
	over := make(chan struct{})
	t.Cleanup(func() { <-over })
	go func() {
		defer close(over)
		for {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(5 * time.Second):
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
			if err != nil {
				return
			}
			if resp, err := ownClient.Do(req); err == nil { // a sweep that fails is followed by another
				_ = resp.Body.Close()
			}
		}
	}()
}

// inGoogle is the stores, without the proxies.
func inGoogle(t testing.TB, fake *gcsfake.Server, gcs *gcsfake.Listener, database string) *stores {
	records, err := firestore.NewClient(t.Context(), googleProject, option.WithEndpoint(database), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = records.Close() })
	state, err := firestorestate.New(records, "fileloft", nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := gcs.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	storage, err := gcsstore.New(client, googleBucket, &gcsstore.Options{Prefix: googlePrefix})
	if err != nil {
		t.Fatal(err)
	}
	return &stores{
		state: state, storage: storage,
		object: func(ctx context.Context, u *tus.Upload) (io.ReadCloser, error) {
			return client.Bucket(googleBucket).Object(googlePrefix + u.ObjectKey()).NewReader(ctx)
		},
		inventory: func(context.Context) ([]string, error) {
			names := fake.Names(googleBucket, nil)
			for _, n := range fake.Sessions(googleBucket) {
				names = append(names, openSession+n)
			}
			return slices.Clip(names), nil
		},
		names: func(u *tus.Upload) []string {
			if u.Concat.Role == tus.Partial {
				return []string{".fileloft/" + string(u.ID) + "/" + u.Birth + "/object"}
			}
			return []string{googlePrefix + u.ObjectKey()}
		},
		// A resumable upload that nobody ended is no object, and Cloud Storage forgets it after a week:
		// https://cloud.google.com/storage/docs/resumable-uploads#session-uris. None can be listed.
		hidden: func(name string) bool { return strings.HasPrefix(name, openSession) },
	}
}
