package e2e

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A proxy stands between a client and a server, connection by connection, and does what networks do. Its address
// stays the same whatever happens behind it, like that of a load balancer.
type proxy struct {
	ln     net.Listener
	up     atomic.Int64 // bytes sent by clients so far
	mu     sync.Mutex
	target string
	conns  map[net.Conn]bool // both sides of all connections
	at     int64             // when so many bytes have gone up,
	event  func(*link)       // this is done, once, while the connection waits
}

// A link is one connection through the proxy.
type link struct {
	client, server net.Conn
	frozen         chan struct{} // closed when nothing is forwarded any more
	once           sync.Once
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, target: target, conns: map[net.Conn]bool{}}
	go p.accept()
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.conns {
			_ = c.Close()
		}
	})
	return p
}

func (p *proxy) endpoint() string { return "http://" + p.ln.Addr().String() + "/files/" }

// when has event done when n more bytes have gone up.
func (p *proxy) when(n int64, event func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.event = p.up.Load()+n, event
}

// route sends new connections elsewhere.
func (p *proxy) route(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		server, err := net.Dial("tcp", target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		l := &link{client: client, server: server, frozen: make(chan struct{})}
		go p.upward(l)
		go p.downward(l)
	}
}

func (p *proxy) upward(l *link) {
	b := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(b)
		if l.isFrozen() {
			return
		}
		if n > 0 {
			if _, werr := l.server.Write(b[:n]); werr != nil {
				err = werr
			}
			p.up.Add(int64(n))
			p.fire(l)
		}
		if l.isFrozen() {
			return
		}
		if err != nil {
			_ = l.client.Close()
			_ = l.server.Close()
			return
		}
	}
}

// fire does what was asked for at this number of bytes.
func (p *proxy) fire(l *link) {
	p.mu.Lock()
	event := p.event
	if event != nil && p.up.Load() >= p.at {
		p.event = nil
	} else {
		event = nil
	}
	p.mu.Unlock()
	if event != nil {
		event(l)
	}
}

func (p *proxy) downward(l *link) {
	_, _ = io.Copy(l.client, l.server)
	if !l.isFrozen() {
		_ = l.client.Close()
		_ = l.server.Close()
	}
}

// halfOpen cuts the client off with an error, and leaves the server with a connection on which nothing happens.
func (l *link) halfOpen() {
	l.once.Do(func() { close(l.frozen) })
	_ = l.client.(*net.TCPConn).SetLinger(0)
	_ = l.client.Close()
}

func (l *link) isFrozen() bool {
	select {
	case <-l.frozen:
		return true
	default:
		return false
	}
}
