package lambdagate

import (
	"fmt"
	"net/http"
	"strings"
)

// ALB is an Application Load Balancer with a Lambda target group:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html.
func ALB(f *Function, opt *DoorOptions) http.Handler {
	d := newDoor(f, opt, alb{})
	d.domain = or(d.opt.Domain, "lambda-846800462."+region+".elb.amazonaws.com")
	return d
}

type alb struct{}

// "The maximum size of the request body that you can send to a Lambda function is 1 MB. [...] The maximum size of the response JSON that the
// Lambda function can send is 1 MB." Whether of 1,000,000 or 1,048,576 bytes is unverified.
const maxALB = 1 << 20

// Limits of a request's head: 413 "The request header exceeded 16 K per request line, 16 K per single header, or 64 K for the entire request
// header": https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html.
const (
	maxALBHeader  = 16 << 10
	maxALBHeaders = 64 << 10
)

func (alb) check(_ *door, r *http.Request) *refusal {
	if r.Method == http.MethodTrace { // the same page
		return page(http.StatusMethodNotAllowed)
	}
	for _, values := range r.Header {
		for _, v := range values {
			if len(v) > maxALBHeader {
				return page(http.StatusRequestEntityTooLarge)
			}
		}
	}
	if headerBytes(r) > maxALBHeaders || len(r.RequestURI) > maxALBHeader {
		return page(http.StatusRequestEntityTooLarge)
	}
	return nil
}

func (alb) bodyLimit() (int64, *refusal) { return maxALB, page(http.StatusRequestEntityTooLarge) }

// page is what a load balancer answers by itself.
func page(status int) *refusal {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return &refusal{
		status: status, plain: "text/html",
		body: "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n",
	}
}

type eventALB struct {
	Context struct {
		ELB struct {
			TargetGroupARN string `json:"targetGroupArn"`
		} `json:"elb"`
	} `json:"requestContext"`
	HTTPMethod        string              `json:"httpMethod"`
	Path              string              `json:"path"`
	Query             map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Body              string              `json:"body"`
	Base64            bool                `json:"isBase64Encoded"`
}

// event: "If you enable multi-value headers, the event includes multiValueHeaders; else the load balancer uses the last value sent by the
// client." Names of headers are in lower case, query parameters are not decoded: "if the query parameters are URL-encoded, the load balancer
// does not decode them".
func (alb) event(d *door, q *request) any {
	e := &eventALB{HTTPMethod: q.Method, Path: q.URL.EscapedPath()}
	e.Context.ELB.TargetGroupARN = "arn:aws:elasticloadbalancing:" + region + ":" + account + ":targetgroup/fileloft/6d0ecf831eec9f09"
	e.Body, e.Base64 = encoded(q.body, isText(q.Header))
	query := rawQuery(q.URL.RawQuery)
	h := q.forwardedHeaders(d.domain)
	h.Set("Connection", "keep-alive")
	if d.opt.MultiValue {
		e.MultiValueQuery, e.MultiValueHeaders = query, map[string][]string{}
		for key, values := range h {
			e.MultiValueHeaders[strings.ToLower(key)] = values
		}
		return e
	}
	e.Query, e.Headers = map[string]string{}, map[string]string{}
	for key, values := range query {
		e.Query[key] = values[len(values)-1]
	}
	for key, values := range h {
		e.Headers[strings.ToLower(key)] = values[len(values)-1]
	}
	return e
}

func rawQuery(raw string) map[string][]string {
	m := map[string][]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if key, value, _ := strings.Cut(pair, "="); key != "" {
			m[key] = append(m[key], value)
		}
	}
	return m
}

// answer: "you must use multiValueHeaders" where they are enabled, and headers where not.
func (alb) answer(d *door, _ *request, payload []byte) *answer {
	if len(payload) > maxALB {
		return nil
	}
	a, out := read1(payload, false)
	if a == nil {
		return nil
	}
	read := a.single
	if d.opt.MultiValue {
		read = a.multi
	}
	if !read(out.header) {
		return nil
	}
	out.header.Set("Server", "awselb/2.0")
	return out
}

// failed: the function "returned an error or [...] was throttled", "did not respond before its configured timeout was reached", "the target
// response is malformed", "the response body exceeds 1 MB": all are 502, by the page at maxALBHeader.
func (alb) failed(error) *refusal { return page(http.StatusBadGateway) }
