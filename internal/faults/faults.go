package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A Kind is what is done to a request.
type Kind string

// What networks and services do. A reset is one of TCP; of HTTP/2, by a coin, the stream alone is reset.
const (
	Unavailable Kind = "unavailable" // it is answered as a busy server does, and not passed on
	Reset       Kind = "reset"       // the connection is reset, and nothing passed on
	Cut         Kind = "cut"         // a part of its body is passed on, then both connections are reset; without a body it is a Reset
	Stall       Kind = "stall"       // it is held, and then, by a coin, passed on or dropped, whether or not the client still waits
	Lost        Kind = "lost"        // it is passed on, and once the server has answered whole the client's connection is reset
	Lied        Kind = "lied"        // it is passed on, and once the server has answered whole another answer says that it failed
	Truncated   Kind = "truncated"   // it is passed on, and the answer's body cut off by a reset; without a body it is Lost

	// Twice passes a request on twice, one after the other; the client has the second answer. An intermediary may repeat what HTTP
	// calls idempotent (RFC 9110, 9.2.2), a PUT with a condition too. Others, and so all of DynamoDB and Firestore, pass unharmed.
	Twice Kind = "twice"
)

// kinds are in the order in which odds are dealt: another order would be another sequence for each seed.
var kinds = []Kind{Unavailable, Reset, Cut, Stall, Lost, Lied, Truncated, Twice}

// Even returns equal odds for all kinds but Twice, such that a request meets any of them with probability p.
func Even(p float64) map[Kind]float64 {
	odds := map[Kind]float64{}
	for _, k := range kinds {
		if k != Twice {
			odds[k] = p / float64(len(kinds)-1)
		}
	}
	return odds
}

// Options choose what a proxy does.
type Options struct {
	Service string           // whose busy answers it gives: s3, dynamodb, gcs, azure-blob, azure-table, or firestore, to which gRPC is spoken
	Seed    uint64           // what chance begins with
	Odds    map[Kind]float64 // the probability of each kind, for each request; what they lack of 1 is that nothing happens
	Stall   time.Duration    // how long a Stall lasts; 30 s where it is 0

	// Observe, if not nil, is called for each fault before the client sees it, maybe by several goroutines at once.
	Observe func(Event)
}

// An Event is a fault that was done.
type Event struct {
	Request uint64 // its number, from 1
	Kind    Kind
	Method  string
	Target  string // with the query
	Status  int    // what the server answered; 0 where it was not waited for
}

const defaultStall = 30 * time.Second

// A Proxy does faults. It is safe for concurrent use.
type Proxy struct {
	opt     Options
	target  *url.URL
	ln      net.Listener
	server  *http.Server
	plain   *http.Transport
	through *http.Transport // which keeps nothing back of a body that breaks off

	ctx   context.Context // the proxy's life: no call of its own could bring it
	close context.CancelFunc
	under sync.WaitGroup // requests under way, and the server

	mu       sync.Mutex
	requests uint64
	calm     bool
	closed   bool
	faulty   int // requests under way to which something is done
	done     map[Kind]int
}

// New starts a proxy for the server at target, http://host:port.
func New(target string, opt Options) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("faults: proxy for %q: %w", target, err)
	}
	if u.Scheme != "http" || u.Host == "" || u.Path != "" {
		return nil, fmt.Errorf("faults: proxy for %q: want http://host:port", target)
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	if opt.Stall == 0 {
		opt.Stall = defaultStall
	}
	opt.Odds = maps.Clone(opt.Odds)
	p := &Proxy{opt: opt, target: u, done: map[Kind]int{}}
	p.ctx, p.close = context.WithCancel(context.Background())
	if p.ln, err = new(net.ListenConfig).Listen(p.ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("faults: listen: %w", err)
	}
	p.plain, p.through = p.transport(), p.transport()
	p.through.WriteBufferSize = 1
	p.server = &http.Server{
		Handler: http.HandlerFunc(p.serve), Protocols: new(http.Protocols),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, clientConn{}, c) },
	}
	p.server.Protocols.SetHTTP1(true)
	p.server.Protocols.SetUnencryptedHTTP2(true)
	p.under.Go(func() { _ = p.server.Serve(p.ln) }) // it returns when Close closes it
	return p, nil
}

func (o *Options) check() error {
	if busy[o.Service] == nil {
		return fmt.Errorf("faults: the service %q is none of %q", o.Service, slices.Sorted(maps.Keys(busy)))
	}
	sum := 0.0
	for k, odds := range o.Odds {
		if !slices.Contains(kinds, k) {
			return fmt.Errorf("faults: the kind %q is none of %q", k, kinds)
		}
		if !(odds >= 0) { // NaN is not
			return fmt.Errorf("faults: the odds of %s are %v", k, odds)
		}
		sum += odds
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("faults: the odds add up to %v", sum)
	}
	if o.Stall < 0 {
		return fmt.Errorf("faults: stall for %s", o.Stall)
	}
	return nil
}

// URL returns what clients use in place of the server's address, without a slash at its end.
func (p *Proxy) URL() string { return "http://" + p.Addr() }

// Addr returns the host and the port of URL.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Calm has nothing be done to requests from now on. They are still counted; what was begun goes on, see Drain.
func (p *Proxy) Calm() { p.set(true) }

// Resume ends a Calm.
func (p *Proxy) Resume() { p.set(false) }

func (p *Proxy) set(calm bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calm = calm
}

// Drain waits until no request is under way to which something is done: after Calm, and this, no late copy of a request arrives.
func (p *Proxy) Drain(ctx context.Context) error {
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		p.mu.Lock()
		n := p.faulty
		p.mu.Unlock()
		if n == 0 {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return fmt.Errorf("faults: drain: %d requests are under way: %w", n, ctx.Err())
		}
	}
}

// Counts returns how many requests came, and how many of them met with each kind. A kind that turned out as another one counts as that.
func (p *Proxy) Counts() (requests uint64, done map[Kind]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests, maps.Clone(p.done)
}

// Close breaks all connections and drops what is held. It returns when nothing is left. It may be called twice.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.close()
	_ = p.server.Close() // the listener's error: it is closed anyway
	p.under.Wait()
	p.plain.CloseIdleConnections()
	p.through.CloseIdleConnections()
}

// deal returns what happens to the n-th request, and what chance it has left for how.
func (o *Options) deal(n uint64) (Kind, *rand.Rand) {
	rng := rand.New(rand.NewPCG(o.Seed, n))
	at := rng.Float64()
	for _, k := range kinds {
		if at < o.Odds[k] {
			return k, rng
		}
		at -= o.Odds[k]
	}
	return "", rng
}
