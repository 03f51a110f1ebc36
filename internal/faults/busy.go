package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// byGRPC is the service to which gRPC is spoken.
const byGRPC = "firestore"

// busy are the answers of each service that has no time, or says so although it did what was asked (lied). A service that throttles
// has done nothing: such answers are no lies.
var busy = map[string]func(x *exchange, lied bool){
	"s3": func(x *exchange, lied bool) {
		e := choose(x.rng, lied, failure{503, "SlowDown", "Please reduce your request rate."},
			failure{503, "ServiceUnavailable", "Service is unable to handle request."},
			failure{500, "InternalError", "We encountered an internal error. Please try again."})
		x.say(e, "application/xml", fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
			`<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId><HostId>faults</HostId></Error>`, e.code, e.text, x.id()))
	},
	"dynamodb": func(x *exchange, lied bool) {
		e := choose(x.rng, lied, failure{
			400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
			"The level of configured provisioned throughput for the table was exceeded.",
		},
			failure{500, "com.amazonaws.dynamodb.v20120810#InternalServerError", "Internal server error"})
		x.w.Header().Set("X-Amzn-RequestId", x.id())
		x.sayJSON(e, "application/x-amz-json-1.0", map[string]any{"__type": e.code, "message": e.text})
	},
	"gcs": func(x *exchange, lied bool) {
		e := choose(x.rng, lied, failure{429, "rateLimitExceeded", "The object exceeded the rate limit for object mutation operations."},
			failure{503, "backendError", "Backend Error"}, failure{500, "internalError", "We encountered an internal error. Please try again."})
		x.sayJSON(e, "application/json; charset=UTF-8", map[string]any{"error": map[string]any{
			"code": e.status, "message": e.text, "errors": []any{map[string]any{"message": e.text, "domain": "global", "reason": e.code}},
		}})
	},
	"azure-blob": func(x *exchange, lied bool) {
		e := azureFailure(x, lied)
		x.w.Header().Set("X-Ms-Error-Code", e.code)
		x.say(e, "application/xml", fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?><Error><Code>%s</Code><Message>%s
RequestId:%s</Message></Error>`, e.code, e.text, x.id()))
	},
	"azure-table": func(x *exchange, lied bool) {
		e := azureFailure(x, lied)
		x.sayJSON(e, "application/json;odata=minimalmetadata;charset=utf-8", map[string]any{"odata.error": map[string]any{
			"code": e.code, "message": map[string]any{"lang": "en-US", "value": e.text + "\nRequestId:" + x.id()},
		}})
	},
	// An answer of gRPC without a message has its status among the headers:
	// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
	byGRPC: func(x *exchange, _ bool) {
		x.w.Header().Set("Content-Type", "application/grpc")
		x.w.Header().Set("Grpc-Status", "14")
		x.w.Header().Set("Grpc-Message", "The service is currently unavailable.")
		x.w.WriteHeader(http.StatusOK)
	},
}

// A failure is what a service says of itself.
type failure struct {
	status     int
	code, text string
}

// choose takes one of the failures. The first one says that nothing was done.
func choose(rng *rand.Rand, lied bool, all ...failure) failure {
	if lied {
		all = all[1:]
	}
	return all[rng.IntN(len(all))]
}

func azureFailure(x *exchange, lied bool) failure {
	x.w.Header().Set("X-Ms-Request-Id", x.id())
	return choose(x.rng, lied, failure{503, "ServerBusy", "The server is busy."},
		failure{500, "OperationTimedOut", "Operation could not be completed within the specified time."},
		failure{500, "InternalError", "The server encountered an internal error. Please retry the request."})
}

// id names the request in its answer.
func (x *exchange) id() string { return "faults-" + strconv.FormatUint(x.n, 10) }

func (x *exchange) sayJSON(e failure, contentType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers only
	}
	x.say(e, contentType, string(b))
}

func (x *exchange) say(e failure, contentType, body string) {
	x.w.Header().Set("Content-Type", contentType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(e.status)
	_, _ = x.w.Write([]byte(body)) // the client may have left
}
