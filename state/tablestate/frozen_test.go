package tablestate_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/tablestate"
	"github.com/fileloft/fileloft/tus"
)

// gateway passes connections on, until they are dead: then it swallows what comes and says nothing, as a router does that has
// forgotten a connection while its process was frozen.
type gateway struct {
	mu   sync.Mutex
	dead chan struct{} // of the connections of now
}

func (g *gateway) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.dead)
	g.dead = make(chan struct{})
}

func (g *gateway) listen(t *testing.T, to string) string {
	g.dead = make(chan struct{})
	l := try(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			t.Cleanup(func() { in.Close(); out.Close() })
			g.mu.Lock()
			dead := g.dead
			g.mu.Unlock()
			go pass(out, in, dead)
			go pass(in, out, dead)
		}
	}()
	return l.Addr().String()
}

func pass(to io.Writer, from io.Reader, dead chan struct{}) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case <-dead:
		default:
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
	}
}

// A process that comes back to a dead connection gets its answer within the time of one call.
func TestADeadConnectionIsReplaced(t *testing.T) {
	conn := azurite(t)
	const key = "TableEndpoint=http://"
	before, rest, _ := strings.Cut(conn, key)
	addr, path, _ := strings.Cut(rest, "/")
	g := &gateway{}
	w := &wire{}
	client := connect(t, before+key+g.listen(t, addr)+"/"+path, "frozen", w)
	noError(t, tablestate.CreateTable(t.Context(), client))
	st := try(tablestate.New(client, nil))(t)
	l := try(st.Create(t.Context(), tus.Upload{ID: "a", Birth: "b"}, claim(time.Minute, 0)))(t)
	g.kill()
	w.since()
	start := time.Now()
	l, err := st.Commit(t.Context(), l, l.Upload, claim(0, 0))
	took := time.Since(start)
	if err != nil || took > 10*time.Second || took < time.Second {
		t.Errorf("after %s: %+v, %v", took, l, err)
	}
	called(t, w, "Commit", replace, replace)
	t.Logf("answered after %s", took.Round(100*time.Millisecond))
}
