package ledger

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// A Bill is what was counted.
type Bill struct {
	S3, DynamoDB map[string]int // calls by operation
	Actions      map[string]int // uses of what a policy must allow

	WriteUnits float64 // of the table
	IndexUnits float64 // write units of its index
	ReadUnits  float64

	Invocations int
	GBSeconds   float64 // of invocations
	MeteredHTTP int     // units of 512 KB that an HTTP API meters
}

// requests returns how many calls S3 bills in a class.
func (b *Bill) requests(c class) int {
	n := 0
	for op, k := range b.S3 {
		if calls[op].class == c {
			n += k
		}
	}
	return n
}

func newBill() Bill {
	return Bill{S3: map[string]int{}, DynamoDB: map[string]int{}, Actions: map[string]int{}}
}

// plus returns the bill with n times another one added.
func (b *Bill) plus(n int, c *Bill) Bill {
	sum := *b
	add := func(x, y map[string]int) map[string]int {
		x = maps.Clone(x)
		for k, v := range y {
			x[k] += n * v
		}
		return x
	}
	sum.S3, sum.DynamoDB, sum.Actions = add(b.S3, c.S3), add(b.DynamoDB, c.DynamoDB), add(b.Actions, c.Actions)
	f := float64(n)
	sum.WriteUnits += f * c.WriteUnits
	sum.IndexUnits += f * c.IndexUnits
	sum.ReadUnits += f * c.ReadUnits
	sum.Invocations += n * c.Invocations
	sum.GBSeconds += f * c.GBSeconds
	sum.MeteredHTTP += n * c.MeteredHTTP
	return sum
}

// A Ledger writes down what passes through its proxies. It is safe for concurrent use.
type Ledger struct {
	// Before, if not nil, is called with the name of each call to S3 before it is passed on.
	Before func(op string)

	mu   sync.Mutex
	bill Bill
}

// New returns an empty Ledger.
func New() *Ledger { return &Ledger{bill: newBill()} }

// Take returns what was counted since the last Take.
func (l *Ledger) Take() Bill {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bill
	l.bill = newBill()
	return b
}

// Invoked counts an invocation of a function with a memory.
func (l *Ledger) Invoked(took time.Duration, memoryMB int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bill.Invocations++
	l.bill.GBSeconds += took.Seconds() * float64(memoryMB) / 1024
}

// HTTPAPI meters what passes through a gateway as an HTTP API does, by the length of the bodies.
func (l *Ledger) HTTPAPI(gateway http.Handler) http.Handler {
	const metered = 512 << 10
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.bill.MeteredHTTP += int((max(r.ContentLength, 1) + metered - 1) / metered)
		l.mu.Unlock()
		gateway.ServeHTTP(w, r)
	})
}

// S3 returns a proxy for the S3 server at a URL. Clients name the bucket in the path. What they signed stays as it is, the Host too.
func (l *Ledger) S3(target string) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	p.ModifyResponse = func(resp *http.Response) error {
		op := s3Operation(resp.Request)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bill.S3[op]++
		for _, a := range s3Actions(op, resp.Request, resp.StatusCode) {
			l.bill.Actions[a]++
		}
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.Before != nil {
			l.Before(s3Operation(r))
		}
		p.ServeHTTP(w, r)
	}), nil
}

// DynamoDB returns a proxy for the DynamoDB server at a URL.
func (l *Ledger) DynamoDB(target string) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	p.ModifyResponse = func(resp *http.Response) error {
		op := dynamoOperation(resp.Request)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bill.DynamoDB[op]++
		l.bill.Actions["dynamodb:"+op]++
		if !items[op] {
			return nil
		}
		table, index, err := units(body, resp.StatusCode)
		if err != nil {
			return fmt.Errorf("ledger: the answer to %s: %w", op, err)
		}
		if reads[op] {
			l.bill.ReadUnits += table + index
			return nil
		}
		l.bill.WriteUnits += table
		l.bill.IndexUnits += index
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if items[dynamoOperation(r)] {
			if err := askForUnits(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
		}
		p.ServeHTTP(w, r)
	}), nil
}

func proxy(target string) (*httputil.ReverseProxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("ledger: proxy for %q: %w", target, err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(u)
			p.Out.Host = p.In.Host // it is signed
			p.Out.Header["User-Agent"] = p.In.Header["User-Agent"]
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	}, nil
}
