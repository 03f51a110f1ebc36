package lambdagate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// event2 is the payload format 2.0 of HTTP APIs and Function URLs, in the documented order:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html and
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
type event2 struct {
	Version        string            `json:"version"`
	RouteKey       string            `json:"routeKey"`
	RawPath        string            `json:"rawPath"`
	RawQueryString string            `json:"rawQueryString"`
	Cookies        []string          `json:"cookies,omitempty"`
	Headers        map[string]string `json:"headers"`
	Query          map[string]string `json:"queryStringParameters,omitempty"`
	Context        context2          `json:"requestContext"`
	Body           string            `json:"body,omitempty"`
	Base64         bool              `json:"isBase64Encoded"`
}

type context2 struct {
	AccountID    string `json:"accountId"`
	APIID        string `json:"apiId"`
	DomainName   string `json:"domainName"`
	DomainPrefix string `json:"domainPrefix"`
	HTTP         struct {
		Method    string `json:"method"`
		Path      string `json:"path"`
		Protocol  string `json:"protocol"`
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"http"`
	RequestID string `json:"requestId"`
	RouteKey  string `json:"routeKey"`
	Stage     string `json:"stage"`
	Time      string `json:"time"`
	TimeEpoch int64  `json:"timeEpoch"`
}

// clfTime is the form of requestContext.time.
const clfTime = "02/Jan/2006:15:04:05 -0700"

// newEvent2 makes the event of a request at path, which is the whole path at the service's own name.
func newEvent2(d *door, q *request, path, accountID string) *event2 {
	e := &event2{
		Version: "2.0", RouteKey: "$default", RawPath: path, RawQueryString: q.URL.RawQuery, Headers: map[string]string{},
	}
	h := q.forwardedHeaders(d.domain)
	// "All cookie headers in the request are combined with commas and added to the cookies field."
	for _, line := range h.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			e.Cookies = append(e.Cookies, strings.TrimSpace(cookie))
		}
	}
	h.Del("Cookie")
	// "All headernames are lowercased." "Duplicate headers are combined with commas."
	for key, values := range h {
		e.Headers[strings.ToLower(key)] = strings.Join(values, ",")
	}
	e.Headers["content-length"] = strconv.Itoa(len(q.body))
	// "Duplicate query strings are combined with commas."
	for key, values := range q.URL.Query() {
		if e.Query == nil {
			e.Query = map[string]string{}
		}
		e.Query[key] = strings.Join(values, ",")
	}
	e.Body, e.Base64 = encoded(q.body, isText(q.Header))
	prefix, _, _ := strings.Cut(d.domain, ".")
	e.Context = context2{
		AccountID: accountID, APIID: apiID, DomainName: d.domain, DomainPrefix: prefix, RequestID: q.id, RouteKey: "$default",
		Stage: d.opt.Stage, Time: q.time.UTC().Format(clfTime), TimeEpoch: q.time.UnixMilli(),
	}
	c := &e.Context.HTTP
	c.Method, c.Path, c.Protocol, c.SourceIP, c.UserAgent = q.Method, path, q.Proto, q.ip, q.UserAgent()
	return e
}

// apiID is the id of the API or of the URL.
const apiID = "abcdefghij"

// answer2 is what a function returns for payload 2.0.
type answer2 struct {
	StatusCode *int           `json:"statusCode"`
	Headers    map[string]any `json:"headers"`
	Cookies    []string       `json:"cookies"`
	Body       string         `json:"body"`
	Base64     bool           `json:"isBase64Encoded"`
}

// read2 makes HTTP of a function's answer. JSON without a statusCode is a body by itself: "API Gateway can infer the response format
// for you." plain is the content type of an answer that names none.
func read2(payload []byte, plain string) *answer {
	if !json.Valid(payload) {
		return nil
	}
	var a answer2
	if err := json.Unmarshal(payload, &a); err != nil || a.StatusCode == nil {
		if a.StatusCode != nil {
			return nil
		}
		return &answer{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, payload}
	}
	if *a.StatusCode < 100 || *a.StatusCode > 599 {
		return nil
	}
	h := http.Header{"Content-Type": {plain}}
	for key, value := range a.Headers {
		s, ok := scalar(value)
		if !ok {
			return nil
		}
		h.Set(key, s)
	}
	for _, cookie := range a.Cookies { // "each cookie becomes a set-cookie header"
		h.Add("Set-Cookie", cookie)
	}
	body, ok := decoded(a.Body, a.Base64)
	if !ok {
		return nil
	}
	return &answer{*a.StatusCode, h, body}
}

// scalar returns a header's value, which may be a number or a boolean in the JSON.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64, bool:
		return fmt.Sprint(v), true
	}
	return "", false
}
