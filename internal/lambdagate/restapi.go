package lambdagate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// RESTAPI is a regional REST API (API Gateway v1) with the resources / and /{proxy+}, the method ANY, Lambda proxy integration and
// binaryMediaTypes */*.
func RESTAPI(f *Function, opt *DoorOptions) http.Handler {
	d := newDoor(f, opt, restAPI{})
	d.opt.Stage = or(d.opt.Stage, "prod")
	d.opt.Timeout = or(d.opt.Timeout, restAPITimeout)
	d.domain = or(d.opt.Domain, apiID+".execute-api."+region+".amazonaws.com")
	return d
}

type restAPI struct{}

func (restAPI) check(d *door, r *http.Request) *refusal {
	if headerBytes(r) > maxGatewayHeaders { // the words were reported by users
		return &refusal{status: http.StatusRequestHeaderFieldsTooLarge, plain: "text/plain", body: "HTTP header is larger than 10240 bytes."}
	}
	path, ok := d.inStage(r)
	switch {
	case !ok:
		return &refusal{status: http.StatusForbidden, kind: "ForbiddenException", body: `{"message":"Forbidden"}`}
	case d.proxied(path) == "/ping" || d.proxied(path) == "/sping": // "reserved for the service health check"
		return &refusal{status: http.StatusOK, body: "healthy"}
	}
	return nil
}

// proxied is a path below the stage.
func (d *door) proxied(path string) string {
	if d.opt.Domain == "" {
		path = strings.TrimPrefix(path, "/"+d.opt.Stage)
	}
	return or(path, "/")
}

// tooLargeREST: REQUEST_TOO_LARGE is 413 by
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html; the words for an event that is too
// large are unverified, those for a body were reported by users.
var tooLargeREST = &refusal{
	status: http.StatusRequestEntityTooLarge, kind: "RequestTooLargeException", body: `{"message":"Request Too Long"}`,
}

func (restAPI) bodyLimit() (int64, *refusal) {
	return maxGatewayBody, &refusal{
		status: http.StatusRequestEntityTooLarge, plain: "text/plain", body: "HTTP content length exceeded 10485760 bytes.",
	}
}

// event1 is the input format of a Lambda proxy integration:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html. What is absent is null.
type event1 struct {
	Resource          string              `json:"resource"`
	Path              string              `json:"path"`
	HTTPMethod        string              `json:"httpMethod"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Query             map[string]string   `json:"queryStringParameters"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters    map[string]string   `json:"pathParameters"`
	StageVariables    map[string]string   `json:"stageVariables"`
	Context           context1            `json:"requestContext"`
	Body              *string             `json:"body"`
	Base64            bool                `json:"isBase64Encoded"`
}

type context1 struct {
	ResourceID        string             `json:"resourceId"`
	ResourcePath      string             `json:"resourcePath"`
	HTTPMethod        string             `json:"httpMethod"`
	ExtendedRequestID string             `json:"extendedRequestId"`
	RequestTime       string             `json:"requestTime"`
	Path              string             `json:"path"`
	AccountID         string             `json:"accountId"`
	Protocol          string             `json:"protocol"`
	Stage             string             `json:"stage"`
	DomainPrefix      string             `json:"domainPrefix"`
	RequestTimeEpoch  int64              `json:"requestTimeEpoch"`
	RequestID         string             `json:"requestId"`
	Identity          map[string]*string `json:"identity"`
	DomainName        string             `json:"domainName"`
	APIID             string             `json:"apiId"`
}

// droppedREST are the request headers that do not reach the function, besides those of the connection:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html. That table says "Exception" for
// Transfer-Encoding; here a chunked body is collected like any other (unverified).
var droppedREST = []string{"Content-Md5", "Max-Forwards", "Proxy-Authenticate", "Server", "Www-Authenticate", "X-Http-Method-Override"}

func (restAPI) event(d *door, q *request) any {
	path, _ := d.inStage(q.Request)
	method := q.Method
	// "When sending requests to an API by passing the X-HTTP-Method-Override header, API Gateway overrides the method. So in order to pass
	// the header to the backend, the header needs to be added to the integration request." (the page above)
	if m := q.Header.Get("X-Http-Method-Override"); m != "" {
		method = strings.ToUpper(m)
	}
	h := q.forwardedHeaders(d.domain)
	for _, key := range droppedREST {
		h.Del(key)
	}
	e := &event1{Path: d.proxied(path), HTTPMethod: method, Headers: map[string]string{}, MultiValueHeaders: h}
	for key, values := range h {
		e.Headers[key] = values[len(values)-1]
	}
	e.Resource = "/"
	if p := strings.TrimPrefix(e.Path, "/"); p != "" {
		e.Resource = "/{proxy+}"
		// "REST APIs decode URL-encoded request parameters before passing them to backend integrations."
		if u, err := url.PathUnescape(p); err == nil {
			p = u
		}
		e.PathParameters = map[string]string{"proxy": p}
	}
	for key, values := range q.URL.Query() {
		if e.Query == nil {
			e.Query, e.MultiValueQuery = map[string]string{}, map[string][]string{}
		}
		e.Query[key], e.MultiValueQuery[key] = values[len(values)-1], values
	}
	if len(q.body) > 0 { // with binaryMediaTypes */* each body is binary
		body, _ := encoded(q.body, false)
		e.Body, e.Base64 = &body, true
	}
	prefix, _, _ := strings.Cut(d.domain, ".")
	agent := q.UserAgent()
	// At a custom domain name requestContext.path is the path that the client sent, without the stage.
	e.Context = context1{
		ResourceID: "roq9wj", ResourcePath: e.Resource, HTTPMethod: method, ExtendedRequestID: "TWegAcC4EowCHnA=",
		RequestTime: q.time.UTC().Format(clfTime), Path: path, AccountID: account, Protocol: q.Proto, Stage: d.opt.Stage, DomainPrefix: prefix,
		RequestTimeEpoch: q.time.UnixMilli(), RequestID: q.id, DomainName: d.domain, APIID: apiID,
		Identity: map[string]*string{"sourceIp": &q.ip, "userAgent": &agent, "accountId": nil, "caller": nil, "user": nil},
	}
	return e
}

// answer1 is the output format of a proxy integration, and of a load balancer's target.
type answer1 struct {
	StatusCode        int              `json:"statusCode"`
	StatusDescription string           `json:"statusDescription"`
	Headers           map[string]any   `json:"headers"`
	MultiValueHeaders map[string][]any `json:"multiValueHeaders"`
	Body              string           `json:"body"`
	Base64            bool             `json:"isBase64Encoded"`
}

// read1 makes HTTP of an answer. Strict refuses keys that are none of these.
func read1(payload []byte, strict bool) (*answer1, *answer) {
	var a answer1
	dec := json.NewDecoder(bytes.NewReader(payload))
	if strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(&a); err != nil || a.StatusCode < 100 || a.StatusCode > 599 {
		return nil, nil
	}
	body, ok := decoded(a.Body, a.Base64)
	if !ok {
		return nil, nil
	}
	return &a, &answer{a.StatusCode, http.Header{}, body}
}

func (a *answer1) single(h http.Header) bool {
	for key, value := range a.Headers {
		s, ok := scalar(value)
		if !ok {
			return false
		}
		h.Set(key, s)
	}
	return true
}

func (a *answer1) multi(h http.Header) bool {
	for key, values := range a.MultiValueHeaders {
		for _, v := range values {
			s, ok := scalar(v)
			if !ok {
				return false
			}
			if !slices.Contains(h.Values(key), s) { // "merged into a single list"
				h.Add(key, s)
			}
		}
	}
	return true
}

// remapped are the answer's headers that get the name X-Amzn-Remapped-*: the table of droppedREST.
var remapped = []string{
	"Authorization", "Connection", "Content-Md5", "Date", "Max-Forwards", "Server", "User-Agent", "Www-Authenticate",
}

func (restAPI) answer(_ *door, q *request, payload []byte) *answer {
	a, out := read1(payload, true)
	if a == nil || !a.single(out.header) || !a.multi(out.header) {
		return nil
	}
	h := out.header
	for _, key := range remapped {
		if v := h.Values(key); len(v) > 0 {
			h.Del(key)
			h["X-Amzn-Remapped-"+key] = v
		}
	}
	if h.Get("Content-Type") == "" { // "By default, the content type is application/json."
		h.Set("Content-Type", "application/json")
	}
	h.Set("X-Amzn-Requestid", q.id)
	h.Set("X-Amz-Apigw-Id", "TWegAcC4EowCHnA=")
	h.Set("X-Amzn-Trace-Id", q.trace)
	return out
}

// failed: INTEGRATION_TIMEOUT is 504 by the page at tooLargeREST. That a throttled function shows as 500 was reported at
// https://repost.aws/questions/QUfI6bsdd0SOiPeyimzxSkfQ; a function that fails or answers nonsense as 502:
// https://repost.aws/knowledge-center/malformed-502-api-gateway.
func (restAPI) failed(err error) *refusal {
	switch {
	case errors.Is(err, ErrTooLarge):
		return tooLargeREST
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: http.StatusGatewayTimeout, kind: "InternalServerErrorException", body: `{"message": "Endpoint request timed out"}`}
	case errors.Is(err, ErrThrottled):
		return &refusal{status: http.StatusInternalServerError, kind: "InternalServerErrorException", body: `{"message": "Internal server error"}`}
	}
	return &refusal{status: http.StatusBadGateway, kind: "InternalServerErrorException", body: `{"message": "Internal server error"}`}
}
