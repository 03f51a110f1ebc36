package ledger

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/internal/deploy"
	"github.com/fileloft/fileloft/internal/lambdagate"
	"github.com/fileloft/fileloft/tus"
)

// download follows the signed link of a finished upload: the store asks what the signer may do.
func download(f *life, url string) {
	f.t.Helper()
	if resp := f.do(http.MethodGet, url, http.StatusOK); resp.Request.URL.String() == url {
		f.t.Errorf("GET %s is no redirect to the store", url)
	}
}

// requests are what clients send, with small uploads and large ones.
func requests(f *life) {
	small, large := f.upload(10, 10), f.upload(12*mib, 12*mib)
	for _, url := range []string{small, large} {
		f.do(http.MethodHead, url, http.StatusOK)
		download(f, url)
		f.do(http.MethodDelete, url, http.StatusNoContent)
		f.do(http.MethodHead, url, http.StatusNotFound)
	}
	f.do(http.MethodDelete, f.upload(20*mib, 12*mib), http.StatusNoContent) // with a session and a tail

	a, b := f.upload(6*mib, 6*mib, "Upload-Concat", "partial"), f.upload(7*mib, 7*mib, "Upload-Concat", "partial")
	final := create(f.t, f.url, "Upload-Concat", "final;"+a+" "+b)
	download(f, final)
	f.do(http.MethodDelete, final, http.StatusNoContent)
}

// passGrace makes a record due that a sweep would leave to its holder for a minute more. The attributes are those of
// package dynamostate's item: due in milliseconds, and the index's key in seconds.
func passGrace(t *testing.T, c *cloud, id string) {
	t.Helper()
	number := func(n int64) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
	}
	_, err := c.database().UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(table), Key: map[string]types.AttributeValue{"i": &types.AttributeValueMemberS{Value: id}},
		ConditionExpression: aws.String("attribute_exists(w)"), UpdateExpression: aws.String("SET w = :now, y = y - :bucket"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":now": number(time.Now().UnixMilli()), ":bucket": number(600)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What the two functions call, in a life that has all of it, is what the two templates allow: nothing is missing, and nothing is
// allowed that is not used. S3 answers 403 instead of 404 for what is not there to those who may not list the bucket;
// the driver would take that for a failure of the store, so each such 404 counts as a use of s3:ListBucket.
func TestThePoliciesAllowWhatIsCalled(t *testing.T) {
	c, binary := newCloud(t), program(t, "functions/lambda")
	f := &life{t: t, wire: New(), revive: func() {}} // the gate starts another one
	f.wire.Before = f.before
	settings := []string{
		"FILELOFT_ENABLE_EXPIRATION=true", "FILELOFT_EXPIRATION_TTL=" + expiration.String(), "FILELOFT_LEASE_TTL=" + lease.String(),
		"FILELOFT_ENABLE_DOWNLOAD=true", "FILELOFT_ENABLE_CONCATENATION=true",
	}
	endpoint := c.function(t, f.wire, binary, settings...)
	f.die = func() {
		for _, i := range endpoint.Instances() {
			endpoint.Kill(i.PID)
		}
	}
	srv := httptest.NewServer(lambdagate.HTTPAPI(endpoint, nil))
	defer srv.Close()
	f.url = srv.URL + "/files/"

	requests(f)
	done, sealed := f.killed("UploadPart", "CompleteMultipartUpload")
	download(f, done)
	f.upload(20*mib, 12*mib) // expires, with a session and a tail
	f.upload(10, 5)          // expires, small
	time.Sleep(expiration + lease)
	passGrace(t, c, idOf(sealed))

	swept := New()
	sweeper := c.function(t, swept, binary, settings...)
	r := sweep(t, sweeper)
	if r.Completed != 1 || r.Expired != 2 || r.Failed != 0 {
		t.Errorf("the sweep did %+v", r)
	}
	age(t, c.s3.Dir)
	due := swept.Take()
	sweep(t, sweeper)
	old := swept.Take()
	if old.Calls["s3"]["DeleteObject"] == 0 {
		t.Errorf("the sweep removed no old piece: %v", old.Calls)
	}
	compare(t, map[string]Bill{"endpoint": f.wire.Take(), "sweeper": sum(due, old)})
}

// compare holds what was called to what the templates allow.
func compare(t *testing.T, used map[string]Bill) {
	t.Helper()
	sam, terraform, err := deploy.PolicyActions(root)
	if err != nil {
		t.Fatal(err)
	}
	for function, bill := range used {
		called := map[string][]string{"s3": nil, "dynamodb": nil}
		for _, action := range slices.Sorted(maps.Keys(bill.Actions)) {
			service, _, _ := strings.Cut(action, ":")
			called[service] = append(called[service], action)
		}
		t.Logf("%s: %v", function, bill.Actions)
		for name, policy := range map[string]deploy.Policy{"template.yaml": sam, "infra/terraform/aws": terraform} {
			for service, actions := range called {
				if d := cmp.Diff(actions, policy[function][service]); d != "" {
					t.Errorf("%s, %s, %s: called (-), allowed (+):\n%s", name, function, service, d)
				}
			}
		}
	}
}

// sweep sends a function the event of a schedule.
func sweep(t *testing.T, f *lambdagate.Function) (r tus.SweepReport) {
	t.Helper()
	b, err := f.Invoke(t.Context(), []byte(`{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// age makes all that the S3 server holds a month old, so that stray pieces are old enough to be collected.
func age(t *testing.T, dir string) {
	t.Helper()
	then := time.Now().Add(-30 * 24 * time.Hour)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(file, then, then)
	})
	if err != nil {
		t.Fatal(err)
	}
}
