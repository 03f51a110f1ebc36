package arch

import (
	"slices"
	"strings"
	"testing"
)

// allowed lists what each package may import besides the standard library; ours without the module's name in front.
// A name that ends with a slash stands for all below it. Every package of the module has a row.
var allowed = map[string][]string{
	"tus": {}, // the centre: everything points here, and it points nowhere

	"state": {"tus"},
	"state/dynamostate": {
		"tus", "state", "github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/aws/retry",
		"github.com/aws/aws-sdk-go-v2/service/dynamodb", "github.com/aws/aws-sdk-go-v2/service/dynamodb/types",
		"github.com/aws/smithy-go", "github.com/aws/smithy-go/middleware",
	},
	"state/firestorestate": {
		"tus", "state", "cloud.google.com/go/firestore", "cloud.google.com/go/firestore/apiv1/admin",
		"cloud.google.com/go/firestore/apiv1/admin/adminpb", "google.golang.org/api/iterator", "google.golang.org/grpc/codes",
		"google.golang.org/grpc/status", "google.golang.org/protobuf/types/known/fieldmaskpb",
	},
	"state/memstate":    {"tus", "state"},
	"state/sqlitestate": {"tus", "state", "modernc.org/sqlite", "modernc.org/sqlite/"},
	"state/statetest":   {"tus", "state", "github.com/anishathalye/porcupine", "github.com/google/go-cmp/"},
	"state/tablestate": {
		"tus", "state", "github.com/Azure/azure-sdk-for-go/sdk/azcore", "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy",
		"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime", "github.com/Azure/azure-sdk-for-go/sdk/azcore/to",
		"github.com/Azure/azure-sdk-for-go/sdk/data/aztables", "golang.org/x/sync/errgroup",
	},

	"storage/azurestore":       {"tus", "storage/headers", "storage/intake", "github.com/Azure/azure-sdk-for-go/sdk/", "golang.org/x/sync/"},
	"storage/filestore":        {"tus", "golang.org/x/sys/unix", "golang.org/x/sync/"},
	"storage/gcsstore":         {"tus", "storage/headers", "storage/intake", "cloud.google.com/go/storage", "google.golang.org/api/", "golang.org/x/sync/"},
	"storage/gcsstore/gcsfake": {"cloud.google.com/go/storage", "google.golang.org/api/option"}, // Google Cloud Storage in memory, for tests and by hand
	"storage/headers":          {"tus"},
	"storage/intake":           {"golang.org/x/sync/semaphore"},
	"storage/memstore":         {"tus"},
	"storage/s3store":          {"tus", "storage/headers", "storage/intake", "github.com/aws/aws-sdk-go-v2/", "github.com/aws/smithy-go", "github.com/aws/smithy-go/", "golang.org/x/sync/"},
	"storage/storetest":        {"tus", "state", "state/memstate", "github.com/google/go-cmp/"},

	"hooks/webhook": {"tus"}, // without the SDK of CloudEvents, a megabyte: every function links it

	"internal/app": {"hooks/webhook", "tus", "internal/watch"}, // no store and no command line: functions link it
	"internal/app/backend": {
		"tus", "internal/app", "internal/app/awsbackend", "internal/app/azurebackend", "internal/app/gcpbackend", "state/memstate", "state/sqlitestate", "storage/filestore",
	},
	"internal/app/awsbackend": {"internal/app", "internal/watch", "state/dynamostate", "storage/s3store", "github.com/aws/aws-sdk-go-v2/"},
	"internal/arch":           {},
	"internal/prototest":      {"tus", "state/memstate", "storage/memstore", "github.com/google/go-cmp/"},
	"internal/badinput":       {},                   // the server under what nobody should send: tests alone
	"internal/bench":          {},                   // benchmarks alone
	"internal/sim":            {"tus", "state"},     // the engine under simulated faults, for tests
	"internal/proof":          {},                   // real replicas over real stores under every kind of trouble: tests alone
	"internal/clients":        {"internal/servers"}, // real upload clients, for tests
	"internal/deploy":         {},                   // reads the templates, for tests
	"internal/lambdalocal": { // the function on this machine, for trying it out by hand
		"internal/lambdagate", "internal/servers", "state/dynamostate", "github.com/aws/aws-sdk-go-v2/",
	},
	"internal/lambdagate": {"internal/servers"}, // Lambda and its doors on this machine, for tests and by hand
	"internal/azurehost":  {"internal/servers"}, // Azure Functions on this machine, for tests and by hand
	"internal/azuretest":  {},                   // Azure's function behind that host: tests alone
	"internal/azurezip":   {},                   // packs the function for Azure
	"internal/gcftest":    {},                   // Google's function over imitations of its services: tests alone
	"internal/lambdatest": {},                   // the Lambda binary behind those doors: tests alone
	"internal/gcfzip":     {},                   // packs the functions' sources for Google
	"internal/lambdazip":  {},                   // packs the function for AWS
	"internal/docs":       {},                   // runs the commands of the pages: tests alone
	"internal/model":      {},                   // has spin explore the model of the lease protocol: tests alone
	"internal/images":     {},                   // builds the container images and looks into them: tests alone
	"internal/faults":     {},                   // does to requests what networks do: for tests
	"internal/ledger": { // counts billed calls on the wire, for tests
		"cloud.google.com/go/firestore/apiv1/firestorepb", "google.golang.org/protobuf/proto",
	},
	"internal/listen":  {}, // sockets and certificates
	"internal/load":    {}, // a load for any tus server: it knows them by HTTP only
	"internal/e2e":     {}, // black-box: it knows the server by HTTP only
	"internal/metrics": {"tus", "internal/watch", "github.com/prometheus/client_golang/"},
	"internal/tracing": {
		"tus", "internal/watch", "github.com/go-logr/logr", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/",
		"go.opentelemetry.io/proto/otlp/trace/v1", "google.golang.org/protobuf/proto",
	},
	"internal/watch":   {"tus"},                           // what metrics and traces are told; functions link it
	"internal/servers": {"github.com/aws/aws-sdk-go-v2/"}, // real servers: processes and ports, and a client of the one with keys

	"internal/app/gcpbackend": {
		"internal/app", "state/firestorestate", "storage/gcsstore", "cloud.google.com/go/firestore", "cloud.google.com/go/firestore/apiv1/admin",
		"cloud.google.com/go/storage", "google.golang.org/api/option", "google.golang.org/grpc", "google.golang.org/grpc/keepalive",
	},
	"internal/app/azurebackend": {"internal/app", "internal/watch", "state/tablestate", "storage/azurestore", "github.com/Azure/azure-sdk-for-go/sdk/"},
	"functions/azure":           {"internal/app", "internal/app/azurebackend"},
	"functions/gcf": {
		"internal/app", "internal/app/gcpbackend", "github.com/GoogleCloudPlatform/functions-framework-go/", "github.com/cloudevents/sdk-go/v2",
	},
	"functions/gcf/cmd/fileloft-gcf": {"functions/gcf"},
	"functions/lambda": {
		"internal/app", "internal/app/awsbackend", "github.com/aws/aws-lambda-go/", "github.com/awslabs/aws-lambda-go-api-proxy/core",
	},
	"cmd/fileloft": {
		"internal/app", "internal/app/backend", "internal/listen", "internal/metrics", "internal/tracing", "internal/watch", "github.com/alecthomas/kong",
	},
}

// forbidden lists packages of the standard library that would be a sign of work done in the wrong place.
var forbidden = map[string][]string{
	"state":                {"net/http", "os"},
	"state/dynamostate":    {"net/http", "os"},
	"state/firestorestate": {"net/http", "os"},
	"state/memstate":       {"net/http", "os"},
	"state/sqlitestate":    {"net/http"},
	"state/tablestate":     {"os"}, // net/http: the client library's answers are of that
	"storage/filestore":    {"net/http"},
	"storage/memstore":     {"net/http", "os"},
	"storage/s3store":      {"net/http", "os"},
}

func TestPackagesImportWhatTheirRowAllows(t *testing.T) {
	standard := map[string]bool{}
	for _, p := range goList(t, "std") {
		standard[p.ImportPath] = true
	}
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		row, ok := allowed[name]
		if !ok {
			t.Errorf("%s has no row in the table of allowed imports", name)
			continue
		}
		for _, imp := range p.Imports {
			short := strings.TrimPrefix(imp, module+"/")
			switch {
			case standard[imp] || imp == "C":
				if slices.Contains(forbidden[name], imp) {
					t.Errorf("%s imports %s", name, imp)
				}
			case !permits(row, short):
				t.Errorf("%s imports %s; allowed are %q", name, short, row)
			}
		}
	}
}

func permits(row []string, imp string) bool {
	return slices.ContainsFunc(row, func(a string) bool {
		return a == imp || strings.HasSuffix(a, "/") && strings.HasPrefix(imp, a)
	})
}

// Cgo would end the static binaries that the images and functions are made of.
func TestNothingUsesCgo(t *testing.T) {
	for _, s := range all(t, true) {
		for _, imp := range s.file.Imports {
			if imp.Path.Value == `"C"` {
				t.Errorf("%s imports C", s.path)
			}
		}
	}
}

// The roots of the clouds' client libraries.
var (
	amazon = []string{"github.com/aws/", "github.com/awslabs/"}
	google = []string{"cloud.google.com/", "google.golang.org/api/", "google.golang.org/genproto/", "google.golang.org/grpc", "google.golang.org/grpc/"}
	azure  = []string{"github.com/Azure/", "github.com/AzureAD/"}
	clouds = slices.Concat(amazon, google, azure)
)

// tests are what belongs into no program that is shipped.
var tests = []string{
	"testing", "net/http/httptest", module + "/state/statetest", module + "/storage/storetest", module + "/internal/prototest",
}

// observing is what only a server is watched with: a function cannot be scraped, and is frozen with its spans unsent.
var observing = []string{
	"github.com/prometheus/", "net/http/pprof", module + "/internal/metrics", module + "/internal/tracing",
}

// denied lists what must not be linked into a binary, however it would get there.
var denied = map[string][]string{
	"cmd/fileloft": tests,
	"functions/azure": slices.Concat(tests, observing, amazon, google, []string{
		"modernc.org/", module + "/internal/app/backend", module + "/state/sqlitestate", module + "/storage/filestore",
	}),
	"functions/gcf/cmd/fileloft-gcf": slices.Concat(tests, observing, amazon, azure, []string{
		"modernc.org/", module + "/internal/app/backend", module + "/state/sqlitestate", module + "/storage/filestore",
	}),
	"functions/lambda": slices.Concat(tests, observing, google, azure, []string{
		"modernc.org/", module + "/internal/app/backend", module + "/state/sqlitestate", module + "/storage/filestore",
	}),
	"internal/lambdalocal": slices.Concat(google, azure),
	"internal/gcfzip":      clouds,
	"internal/azurezip":    clouds,
	"internal/lambdazip":   clouds,
	"internal/load":        clouds,
}

func TestBinariesLinkNothingThatIsDenied(t *testing.T) {
	for binary, list := range denied {
		for _, p := range goList(t, "-deps", "./"+binary) {
			for _, d := range list {
				if p.ImportPath == d || strings.HasSuffix(d, "/") && strings.HasPrefix(p.ImportPath, d) {
					t.Errorf("%s links %s", binary, p.ImportPath)
				}
			}
		}
	}
}

// Every main package has a row in denied: a binary that nobody thought about would escape.
func TestEveryBinaryHasADenyList(t *testing.T) {
	for _, s := range all(t, false) {
		if s.file.Name.Name == "main" && denied[s.dir()] == nil && !strings.HasPrefix(s.dir(), "examples/") {
			t.Errorf("%s is a program without a row in the table of denied packages", s.dir())
		}
	}
}

// A program for one backend links no other cloud.
func TestEachBackendLinksItsCloudAlone(t *testing.T) {
	google := []string{"cloud.google.com/", "google.golang.org/api/"} // metrics and traces bring protobuf, which is no cloud's
	clouds := slices.Concat(amazon, google, azure)
	for backend, others := range map[string][]string{
		"fs": clouds, "s3": slices.Concat(google, azure), "gcs": slices.Concat(amazon, azure), "azure": slices.Concat(amazon, google),
	} {
		for _, p := range goList(t, "-deps", "-tags", "backend_"+backend, "./cmd/fileloft") {
			if i := slices.IndexFunc(others, func(o string) bool { return strings.HasPrefix(p.ImportPath, o) }); i >= 0 {
				t.Errorf("backend %s links %s", backend, p.ImportPath)
			}
		}
	}
}
