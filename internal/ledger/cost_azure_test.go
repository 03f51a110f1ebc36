package ledger

import (
	"net/http"
	"testing"

	"github.com/fileloft/fileloft/tus"
)

// A GiB through the function app in bodies of 16 MiB: 64 of them, of which 16 are sent here; the cost of each is the same, and the rest is a
// multiple of it. Each costs two blocks, a read and two writes of the table. Nothing is listed, and nothing looked at.
func TestAGiBThroughAnAzureFunction(t *testing.T) {
	a, l := newAzure(t), New()
	_, url := a.functionApp(t, l, append(unhurried, "FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=86400")...) // as the module
	const bodies, gib, size = 16, 64, 16 * mib
	created, patches := upload(t, l, url, bodies, size)
	if n := unmoved(patches[:bodies-1]); n > 1 {
		t.Errorf("the index was written by %d PATCHes", n)
	}

	constant(t, []Bill{created}, map[string]map[string]int{"tables": {"Transaction": 1}}, map[string]float64{tableOps.name: 2})
	constant(t, patches[:bodies-1], map[string]map[string]int{"blobs": {"PutBlock": 2}, "tables": {"GetEntity": 1, "UpdateEntity": 2}},
		map[string]float64{blobWrite.name: 2, tableOps.name: 3})
	constant(t, patches[bodies-1:], map[string]map[string]int{
		"blobs":  {"PutBlock": 2, "PutBlockList": 1, "CopyBlob": 1, "GetBlobProperties": 1, "DeleteBlob": 1},
		"tables": {"GetEntity": 1, "UpdateEntity": 1, "Transaction": 2},
	}, map[string]float64{blobWrite.name: 4, blobOther.name: 1, blobFree: 1, tableOps.name: 7})

	total := sum(append([]Bill{created}, patches...)...)
	if n := total.Units[executions.name]; n != bodies+1 {
		t.Errorf("%v executions, not %d", n, bodies+1)
	}
	if total.Sent < bodies*size || total.Sent > bodies*size+4096 {
		t.Errorf("%d bytes were sent to the store for %d", total.Sent, bodies*size)
	}
	t.Logf("%.0f ms a request on this machine", 1e3*total.Units[execution.name]/memoryGB/(bodies+1))
	total = total.plus(gib-bodies, &patches[1])
	delete(total.Units, executions.name)
	delete(total.Units, execution.name)
	total.executed(gib+1, gib*served, memoryGB)
	inDocs(t, "16 MiB through an Azure function", total.perGiBOnAzure())
}

// unmoved takes out of bills what an entry of the index costs that moves to the next ten minutes, and returns how many there were: a write that
// was a transaction of three changes is one of one again.
func unmoved(bills []Bill) (n int) {
	for i := range bills {
		tables := bills[i].Calls["tables"]
		k := tables["Transaction"]
		if k == 0 {
			continue
		}
		delete(tables, "Transaction")
		tables["UpdateEntity"] += k
		bills[i].Units[tableOps.name] -= float64(2 * k)
		n += k
	}
	return n
}

// A sweep that finds nothing due asks each of the 32 partitions of the index once, and lists the pieces once, whatever is under way.
func TestAnAzureSweepThatFindsNothing(t *testing.T) {
	a, l := newAzure(t), New()
	app, url := a.functionApp(t, l, "FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=86400")
	var bills []Bill
	for range 2 {
		l.Take()
		if r := tick(t, app); r != (tus.SweepReport{}) {
			t.Errorf("the sweep did %+v", r)
		}
		bills = append(bills, l.Take())
		for range 3 {
			u := create(t, url, "Upload-Length", "10")
			want(t, patch(t, u, 0, []byte("five.")), http.StatusNoContent)
		}
	}
	constant(t, bills, map[string]map[string]int{"blobs": {"ListBlobs": 1}, "tables": {"QueryEntities": 32}},
		map[string]float64{blobList.name: 1, tableOps.name: 32})
	bills[0].executed(1, swept, memoryGB)
	inDocs(t, "sweeps on Azure", bills[0].sweepsOnAzure())
}
