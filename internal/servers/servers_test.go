package servers

import (
	"net"
	"strings"
	"testing"
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
