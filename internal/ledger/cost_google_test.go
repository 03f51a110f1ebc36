package ledger

import (
	"net/http"
	"testing"
	"time"

	"github.com/fileloft/fileloft/storage/gcsstore/gcsfake"
	"github.com/fileloft/fileloft/tus"
)

// served is how long a PATCH of the functions is taken to last in the price, where the client's link is fast: what 8 MiB take at 67
// Mbit/s, and 16 MiB at 134. A clock has no place in a table that tests compare.
const served = time.Second

// A GiB through the function, all 128 bodies of 8 MiB. Each costs one read and two writes of Firestore, and one object; after each 32
// they are composed, and the request behind that deletes them. Nothing is listed, and nothing looked at.
func TestAGiBThroughAGoogleFunction(t *testing.T) {
	g, l := newGoogle(t, gcsfake.Options{Discard: true}), New()
	f := g.function(t, l, "Fileloft", append(unhurried, "FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=86400")...) // as the module
	const bodies, size = 128, 8 * mib
	created, patches := upload(t, l, f.URL+"/files/", bodies, size)

	constant(t, []Bill{created}, map[string]map[string]int{"firestore": {"Commit": 1}}, map[string]float64{docWrites.name: 1})
	for i := range patches[:bodies-1] {
		n := i + 1
		gcs := map[string]int{"objects.insert": 1}
		units := map[string]float64{gcsA.name: 1, docReads.name: 1, docWrites.name: 2}
		switch {
		case n > 32 && n%32 == 1:
			gcs["objects.compose"], units[gcsA.name] = 1, 2
		case n > 32 && n%32 == 2:
			gcs["objects.delete"], units[gcsFree] = 32, 32
		}
		calls := map[string]map[string]int{"gcs": gcs, "firestore": {"BatchGetDocuments": 1, "Commit": 2}}
		if d := patches[i].differs(calls, units); d != "" {
			t.Fatalf("PATCH %d (-want +got):\n%s", n, d)
		}
	}
	total := sum(append([]Bill{created}, patches...)...)
	t.Logf("the last PATCH: %v", patches[bodies-1].Calls)
	if n := total.Units[runRequests.name]; n != bodies+1 {
		t.Errorf("%v requests, not %d", n, bodies+1)
	}
	if a, b, _ := gcsfake.Classes(g.fake.Used()); float64(a) != total.Units[gcsA.name] || float64(b) != total.Units[gcsB.name] {
		t.Errorf("the store has counted %d of class A and %d of class B, and the ledger %v", a, b, total.Units)
	}
	if total.Sent < bodies*size || total.Sent > bodies*(size+2048) {
		t.Errorf("%d bytes were sent to the store for %d", total.Sent, bodies*size)
	}
	t.Logf("%.0f ms a request on this machine", 1e3*total.Units[runCPU.name]/(bodies+1))
	total.assume(bodies+1, bodies*served)
	inDocs(t, "8 MiB through a Google function", total.perGiBOnGoogle())
}

// assume replaces what was metered of Cloud Run.
func (b *Bill) assume(requests int, took time.Duration) {
	for _, p := range []price{runRequests, runCPU, runMemory} {
		delete(b.Units, p.name)
	}
	b.served(requests, took, memoryGiB)
}

// The same program as a Cloud Run service with HTTP/2, where bodies have no limit: 16 bodies of 64 MiB to a GiB; three are sent.
func TestAGiBThroughCloudRun(t *testing.T) {
	g, l := newGoogle(t, gcsfake.Options{Discard: true}), New()
	f := g.function(t, l, "Fileloft", append(unhurried, "FILELOFT_ENABLE_H2C=true", "FILELOFT_SWEEP_INTERVAL=0")...)
	const bodies, gib, size = 3, 16, 64 * mib
	created, patches := upload(t, l, f.URL+"/files/", bodies, size)
	constant(t, patches[1:bodies-1], map[string]map[string]int{
		"gcs": {"objects.insert": 1, "sessions.write": 9}, "firestore": {"BatchGetDocuments": 1, "Commit": 2},
	}, map[string]float64{gcsA.name: 1, gcsFree: 9, docReads.name: 1, docWrites.name: 2})
	total := sum(append([]Bill{created}, patches...)...)
	total = total.plus(gib-bodies, &patches[1])
	total.Units[gcsFree] += gib - bodies // each object of the upload is deleted at its end
	total.assume(gib+1, gib*2*served)
	inDocs(t, "64 MiB through Cloud Run", total.perGiBOnGoogle())
}

// A sweep that finds nothing due asks the database once and lists the pieces once, whatever is under way.
func TestASweepThatFindsNothing(t *testing.T) {
	g, l := newGoogle(t, gcsfake.Options{}), New()
	settings := []string{"FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=86400"}
	endpoint, sweeper := g.function(t, New(), "Fileloft", settings...), g.function(t, l, "FileloftSweep", settings...)
	var bills []Bill
	for range 2 {
		if r := sweeper.sweep(t); r != (tus.SweepReport{}) {
			t.Errorf("the sweep did %+v", r)
		}
		bills = append(bills, l.Take())
		for range 3 {
			url := create(t, endpoint.URL+"/files/", "Upload-Length", "10")
			want(t, patch(t, url, 0, []byte("five.")), http.StatusNoContent)
		}
	}
	constant(t, bills, map[string]map[string]int{"gcs": {"objects.list": 1}, "firestore": {"RunQuery": 1}},
		map[string]float64{gcsA.name: 1, docReads.name: 1})
	bills[0].assume(1, swept)
	inDocs(t, "sweeps on Google", bills[0].sweepsOnGoogle())
}

// swept is how long a sweep that finds nothing is taken to last in the price.
const swept = 500 * time.Millisecond
