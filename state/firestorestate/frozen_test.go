package firestorestate_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/fileloft/fileloft/state/firestorestate"
	"github.com/fileloft/fileloft/tus"
)

// gateway passes connections on, until they are dead: then it swallows what comes and says nothing, as a router does that has
// forgotten a connection while its process was frozen.
type gateway struct {
	mu   sync.Mutex
	dead []chan struct{}
}

func (g *gateway) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.dead {
		close(c)
	}
	g.dead = nil
}

func (g *gateway) listen(t *testing.T, to string) string {
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
			dead := make(chan struct{})
			g.mu.Lock()
			g.dead = append(g.dead, dead)
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

// A process that comes back to a dead connection gets its answer within the time of one call, given the client that New
// asks for.
func TestADeadConnectionIsReplaced(t *testing.T) {
	g := &gateway{}
	addr := g.listen(t, emulator(t))
	const idle = 10 * time.Second // gRPC asks no earlier
	conn := try(grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: idle, Timeout: 5 * time.Second})))(t)
	project := fmt.Sprintf("test-%d", projects.Add(1))
	client := try(firestore.NewClient(t.Context(), project, option.WithGRPCConn(conn)))(t)
	defer client.Close()
	st := try(firestorestate.New(client, collection, nil))(t)
	l := try(st.Create(t.Context(), tus.Upload{ID: "a", Birth: "b"}, claim(time.Minute, 0)))(t)
	g.kill()
	time.Sleep(idle + time.Second) // frozen, as far as the connection can see
	start := time.Now()
	l, err := st.Commit(t.Context(), l, l.Upload, claim(0, 0))
	took := time.Since(start)
	if err != nil || took > 12*time.Second || took < time.Second {
		t.Errorf("after %s: %+v, %v", took, l, err)
	}
	t.Logf("answered after %s", took.Round(100*time.Millisecond))
}
