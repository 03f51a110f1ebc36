package servers

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestAServerListensAndIsGoneAfterItsTest(t *testing.T) {
	var addr string
	ok := t.Run("in use", func(t *testing.T) {
		addr = strings.TrimPrefix(DynamoDB(t), "http://")
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
	if addr == "" {
		t.Skip("=== SKIPPED: no server, see above ===")
	}
	if c, err := net.Dial("tcp", addr); err == nil && ok {
		c.Close()
		t.Error("the server outlived its test")
	}
}

// A server must not outlive a test program that is killed: its tests' clean-up never runs then.
func TestAServerDiesWithItsStarter(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties one process to another")
	}
	const role = "SERVERS_TEST_STARTER"
	if os.Getenv(role) != "" {
		fmt.Println("LISTENS", strings.TrimPrefix(DynamoDB(t), "http://"))
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestAServerDiesWithItsStarter$", "-test.v")
	cmd.Env = append(os.Environ(), role+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := ""
	for lines := bufio.NewScanner(out); addr == "" && lines.Scan(); {
		if a, ok := strings.CutPrefix(lines.Text(), "LISTENS "); ok {
			addr = a
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if addr == "" {
		t.Skip("=== SKIPPED: no server, see make servers ===")
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("the server outlived its starter")
		}
	}
}
