package ledger

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/fileloft/fileloft/internal/lambdagate"
)

// The Lambda path: bodies of 4 MiB, of which a part of 8 MiB needs two. A GiB is 256 of them; 24 are sent here, and as the
// cost of a pair is the same from the second on, the rest is a multiple of it.
func TestAGiBThroughLambda(t *testing.T) {
	c, l := newCloud(t), New()
	f := c.function(t, l, program(t, "functions/lambda"),
		append(unhurried, "FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=432000")...) // as template.yaml
	srv := httptest.NewServer(l.HTTPAPI(lambdagate.HTTPAPI(f, nil)))
	defer srv.Close()
	const bodies, gib = 24, 256
	created, patches := upload(t, l, srv.URL+"/files/", bodies, 4*mib)

	var pairs []Bill
	for i := 0; i < bodies; i += 2 {
		pairs = append(pairs, sum(patches[i], patches[i+1]))
	}
	constant(t, pairs[1:len(pairs)-1], map[string]map[string]int{
		"s3":       {"PutObject": 1, "UploadPart": 1, "GetObject": 1, "DeleteObject": 1},
		"dynamodb": {"UpdateItem": 4},
	}, map[string]float64{s3Put.name: 2, s3Get.name: 1, s3Free: 1, write.name: 4})
	constant(t, []Bill{created}, map[string]map[string]int{"dynamodb": {"PutItem": 1}}, map[string]float64{write.name: 1})
	constant(t, pairs[:1], map[string]map[string]int{
		"s3":       {"CreateMultipartUpload": 1, "PutObject": 2, "UploadPart": 1, "GetObject": 1},
		"dynamodb": {"UpdateItem": 4},
	}, map[string]float64{s3Put.name: 4, s3Get.name: 1, write.name: 4})
	constant(t, pairs[len(pairs)-1:], map[string]map[string]int{
		"s3": {
			"PutObject": 1, "UploadPart": 1, "GetObject": 1, "ListParts": 1, "CompleteMultipartUpload": 1, "HeadObject": 1, "DeleteObject": 3,
		},
		"dynamodb": {"UpdateItem": 5},
	}, map[string]float64{s3Put.name: 4, s3Get.name: 2, s3Free: 3, write.name: 5})

	// The clock may pass one border of the index's ten minutes during this test.
	before := sum(pairs[:len(pairs)-1]...)
	if n := before.Units[indexWrites]; n != 0 && n != 2 {
		t.Errorf("%v units for the index, in PATCHes that do not end the upload", n)
	}
	for i := range patches[:bodies-2] {
		delete(patches[i].Units, indexWrites)
	}

	f.Close()
	rest := l.Take()
	total := sum(append(append([]Bill{created}, patches...), rest)...)
	u := total.Units
	if u[invoked.name] != bodies+1 || u[httpAPI.name] != 8*bodies+1 {
		t.Errorf("%v invocations and %v metered units for %d requests", u[invoked.name], u[httpAPI.name], bodies+1)
	}
	each := u[arm.name] / u[invoked.name]
	t.Logf("%.0f ms and %.3f GB-seconds an invocation on this machine", 1e3*each*1024/memoryMB, each)
	total = total.plus((gib-bodies)/2, &pairs[1])
	u = total.Units
	u[invoked.name], u[httpAPI.name] = gib+1, 8*gib+1
	u[arm.name] = assumed.Seconds() * memoryMB / 1024 * (gib + 1)
	inDocs(t, "4 MiB through Lambda", total.perGiBOnAWS())
}

// assumed is how long an invocation takes in the price, because a clock has no place in a table that tests compare.
const assumed = 250 * time.Millisecond

// The standalone server on S3: bodies of 64 MiB, 16 to a GiB; three are sent.
func TestAGiBThroughAServer(t *testing.T) {
	c, l := newCloud(t), New()
	server := run(t, program(t, "cmd/fileloft"), slices.Concat(c.behind(t, l), unhurried, []string{"FILELOFT_SWEEP_INTERVAL=0"})...)
	const bodies, gib = 3, 16
	created, patches := upload(t, l, "http://"+server.addr+"/files/", bodies, 64*mib)
	constant(t, patches[1:bodies-1], map[string]map[string]int{"s3": {"UploadPart": 4}, "dynamodb": {"UpdateItem": 2}},
		map[string]float64{s3Put.name: 4, write.name: 2})
	total := sum(append([]Bill{created}, patches...)...)
	total = total.plus(gib-bodies, &patches[1])
	requests := total.Units[s3Put.name] + total.Units[s3Get.name]
	const tusd = 83 // counted at the same size of body
	if requests != 69 || requests >= tusd {
		t.Errorf("%v requests to S3 for a GiB, not 69: %v", requests, total.Calls["s3"])
	}
	inDocs(t, "64 MiB through a server", total.perGiBOnAWS())
}
