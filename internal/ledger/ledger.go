package ledger

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// A Bill is what was counted.
type Bill struct {
	Calls   map[string]map[string]int // by service and operation
	Units   map[string]float64        // what is billed, by the name of its price; and what is free, by a name of its own
	Actions map[string]int            // uses of what a policy must allow
	Sent    int64                     // bytes that bodies brought to Cloud Storage
}

func newBill() Bill {
	return Bill{Calls: map[string]map[string]int{}, Units: map[string]float64{}, Actions: map[string]int{}}
}

// called enters a call.
func (b *Bill) called(service, op string, actions ...string) {
	if b.Calls[service] == nil {
		b.Calls[service] = map[string]int{}
	}
	b.Calls[service][op]++
	for _, a := range actions {
		b.Actions[a]++
	}
}

// plus returns the bill with n times another one added.
func (b *Bill) plus(n int, c *Bill) Bill {
	sum := newBill()
	for _, part := range []struct {
		times int
		bill  *Bill
	}{{1, b}, {n, c}} {
		for service, ops := range part.bill.Calls {
			if sum.Calls[service] == nil {
				sum.Calls[service] = map[string]int{}
			}
			for op, k := range ops {
				sum.Calls[service][op] += part.times * k
			}
		}
		for name, k := range part.bill.Units {
			sum.Units[name] += float64(part.times) * k
		}
		for action, k := range part.bill.Actions {
			sum.Actions[action] += part.times * k
		}
		sum.Sent += int64(part.times) * part.bill.Sent
	}
	return sum
}

// A Ledger writes down what passes through its proxies. It is safe for concurrent use.
type Ledger struct {
	// Before, if not nil, is called with the name of each call to S3 or Cloud Storage before it is passed on.
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

// enter lets a function write into the bill.
func (l *Ledger) enter(write func(*Bill)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	write(&l.bill)
}

// before tells whoever asked of a call that is about to be passed on.
func (l *Ledger) before(op string) {
	if l.Before != nil {
		l.Before(op)
	}
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
