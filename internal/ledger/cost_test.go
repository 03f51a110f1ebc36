package ledger

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/internal/lambdagate"
)

var update = flag.Bool("update", false, "write the tables into docs/cost.md")

const mib = 1 << 20

// upload sends a whole upload in bodies of one size, and returns what its creation and each PATCH cost.
func upload(t *testing.T, l *Ledger, collection string, bodies, size int) (created Bill, patches []Bill) {
	t.Helper()
	l.Take()
	url := create(t, collection, "Upload-Length", strconv.Itoa(bodies*size), "Upload-Metadata", "filename aG9saWRheXMubXA0,filetype dmlkZW8vbXA0")
	created = l.Take()
	body := make([]byte, size)
	for i := range bodies {
		want(t, patch(t, url, i*size, body), http.StatusNoContent)
		patches = append(patches, l.Take())
	}
	return created, patches
}

// calledAs is what a bill says, without what the clock has a part in.
type calledAs struct {
	S3, DynamoDB map[string]int
	Writes, Read float64
}

func (b *Bill) calledAs() calledAs {
	return calledAs{b.S3, b.DynamoDB, b.WriteUnits, b.ReadUnits}
}

// constant fails where one of the bills is not as wanted.
func constant(t *testing.T, bills []Bill, want calledAs) {
	t.Helper()
	for i := range bills {
		if d := cmp.Diff(want, bills[i].calledAs()); d != "" {
			t.Fatalf("PATCH or pair %d (-want +got):\n%s", i+1, d)
		}
	}
}

// sum adds bills up.
func sum(bills ...Bill) Bill {
	total := newBill()
	for i := range bills {
		total = total.plus(1, &bills[i])
	}
	return total
}

// The Lambda path: bodies of 4 MiB, of which a part of 8 MiB needs two. A GiB is 256 of them; 24 are sent here, and as the
// cost of a pair is the same from the second on, the rest is a multiple of it.
func TestAGiBThroughLambda(t *testing.T) {
	c, l := newCloud(t), New()
	f := c.function(t, l, program(t, "functions/lambda"), "FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=432000") // as template.yaml
	srv := httptest.NewServer(l.HTTPAPI(lambdagate.HTTPAPI(f, nil)))
	defer srv.Close()
	const bodies, gib = 24, 256
	created, patches := upload(t, l, srv.URL+"/files/", bodies, 4*mib)

	var pairs []Bill
	for i := 0; i < bodies; i += 2 {
		pairs = append(pairs, sum(patches[i], patches[i+1]))
	}
	constant(t, pairs[1:len(pairs)-1], calledAs{
		S3:       map[string]int{"PutObject": 1, "UploadPart": 1, "GetObject": 1, "DeleteObject": 1},
		DynamoDB: map[string]int{"UpdateItem": 4},
		Writes:   4,
	})
	constant(t, []Bill{created}, calledAs{S3: map[string]int{}, DynamoDB: map[string]int{"PutItem": 1}, Writes: 1})
	constant(t, pairs[:1], calledAs{
		S3:       map[string]int{"CreateMultipartUpload": 1, "PutObject": 2, "UploadPart": 1, "GetObject": 1},
		DynamoDB: map[string]int{"UpdateItem": 4},
		Writes:   4,
	})
	last := pairs[len(pairs)-1]
	constant(t, []Bill{last}, calledAs{
		S3: map[string]int{
			"PutObject": 1, "UploadPart": 1, "GetObject": 1, "ListParts": 1, "CompleteMultipartUpload": 1, "DeleteObject": 3,
		},
		DynamoDB: map[string]int{"UpdateItem": 5},
		Writes:   5,
	})

	// The clock may pass one border of the index's ten minutes during this test.
	if n := sum(pairs[:len(pairs)-1]...).IndexUnits; n != 0 && n != 2 {
		t.Errorf("%v units for the index, in PATCHes that do not end the upload", n)
	}
	for i := range patches[:bodies-2] {
		patches[i].IndexUnits = 0
	}

	f.Close()
	rest := l.Take()
	total := sum(append(append([]Bill{created}, patches...), rest)...)
	if total.Invocations != bodies+1 || total.MeteredHTTP != 8*bodies+1 {
		t.Errorf("%d invocations and %d metered units for %d requests", total.Invocations, total.MeteredHTTP, bodies+1)
	}
	t.Logf("%.0f ms and %.3f GB-seconds an invocation on this machine", 1e3*total.GBSeconds/float64(total.Invocations)*1024/memoryMB,
		total.GBSeconds/float64(total.Invocations))
	total = total.plus((gib-bodies)/2, &pairs[1])
	total.Invocations, total.MeteredHTTP = gib+1, 8*gib+1
	total.GBSeconds = assumed.Seconds() * memoryMB / 1024 * float64(total.Invocations)
	inDocs(t, "4 MiB through Lambda", total.perGiB())
}

// assumed is how long an invocation takes in the price, because a clock has no place in a table that tests compare.
const assumed = 250 * time.Millisecond

// The standalone server on S3: bodies of 64 MiB, 16 to a GiB; three are sent.
func TestAGiBThroughAServer(t *testing.T) {
	c, l := newCloud(t), New()
	// On a slow link the time of a checkpoint comes before its size, and costs a tail: docs/cost.md says so.
	url := serve(t, program(t, "cmd/fileloft"), append(c.behind(t, l), "FILELOFT_CHECKPOINT_INTERVAL=1h", "FILELOFT_SWEEP_INTERVAL=0")...)
	const bodies, gib = 3, 16
	created, patches := upload(t, l, url, bodies, 64*mib)
	constant(t, patches[1:bodies-1], calledAs{
		S3: map[string]int{"UploadPart": 4}, DynamoDB: map[string]int{"UpdateItem": 2}, Writes: 2,
	})
	total := sum(append([]Bill{created}, patches...)...)
	total = total.plus(gib-bodies, &patches[1])
	requests := total.requests(putClass) + total.requests(getClass)
	const tusd = 83 // counted at the same size of body
	if requests != 68 || requests >= tusd {
		t.Errorf("%d requests to S3 for a GiB, not 68: %v", requests, total.S3)
	}
	inDocs(t, "64 MiB through a server", total.perGiB())
}

func TestDocsHaveThePrices(t *testing.T) { inDocs(t, "prices", priceTable()) }

// inDocs fails where docs/cost.md has another table, or writes it there.
func inDocs(t *testing.T, name, table string) {
	t.Helper()
	t.Logf("%s:\n%s", name, table)
	const file = root + "/docs/cost.md"
	begin, end := "<!-- "+name+": written by make cost -->\n", "<!-- end of "+name+" -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("docs/cost.md must have %q and after it %q", strings.TrimSpace(begin), end)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table {
		t.Errorf("docs/cost.md is out of date (make cost):\n%s", cmp.Diff(old, table))
	}
}
