package badinput

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A server that may have 256 descriptors meets 500 connections. It refuses nobody for ever, does not die, and works as soon as some are gone;
// those who are in the middle of a body lose nothing.
func TestNoDescriptorsLeft(t *testing.T) {
	notShort(t)
	t.Parallel()
	s := serve(t, setup{within: []string{"nofile=256"}, env: []string{"FILELOFT_HEADER_TIMEOUT=3s"}})
	data := random(1 << 20)
	w := &slowWriter{s: s, data: data, body: len(data)}
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	if err := w.send(len(data) / 2); err != nil {
		t.Fatal(err)
	}
	within(t, "the first half is there", func() bool { return s.offset(w.at) > 0 })
	known := s.create(int64(len(data)))

	conns := make([]net.Conn, crowd)
	for i := range conns {
		c, err := net.Dial("tcp", s.addr) // the kernel takes what the server does not accept
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	// Each of them asks for something that needs more descriptors, and gets an answer, once one is free, or waits: never a wrong one.
	results := make(chan int, crowd)
	for i, c := range conns {
		go func() {
			results <- askOnce(c, i, known, data[:1000])
		}()
	}
	// Who was in the middle of a body is told to come again, unless a descriptor for the file was to be had just then.
	if err := w.finish(); err != nil && !strings.Contains(err.Error(), "503 Service Unavailable unavailable: ") {
		t.Errorf("who was in the middle of a body: %v", err)
	}
	statuses := map[int]int{}
	for range conns {
		statuses[<-results]++
	}
	for status := range statuses {
		switch status {
		case http.StatusNoContent, http.StatusCreated, http.StatusOK, http.StatusConflict, http.StatusLocked, http.StatusServiceUnavailable, 0:
		default:
			t.Errorf("answers by status: %v", statuses)
		}
	}
	s.resume(w.at, data)
	s.resume(known, data)
	s.unharmed()
	t.Logf("answers by status: %v", statuses)
}

// askOnce sends one request and returns the answer's status, 0 if the connection ended before.
func askOnce(c net.Conn, i int, known string, b []byte) int {
	_ = c.SetDeadline(time.Now().Add(patience))
	text := "HEAD " + known + " HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nConnection: close\r\n\r\n"
	switch i % 3 {
	case 1:
		text = "POST /files/ HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nConnection: close\r\nUpload-Length: " + strconv.Itoa(len(b)) +
			"\r\nContent-Type: " + octets + "\r\nContent-Length: " + strconv.Itoa(len(b)) + "\r\n\r\n" + string(b)
	case 2:
		text = "PATCH " + known + " HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nConnection: close\r\nUpload-Offset: 0" +
			"\r\nContent-Type: " + octets + "\r\nContent-Length: " + strconv.Itoa(len(b)) + "\r\n\r\n" + string(b)
	}
	if _, err := io.WriteString(c, text); err != nil {
		return 0
	}
	var proto string
	var status int
	if _, err := fmt.Fscan(c, &proto, &status); err != nil {
		return 0
	}
	return status
}
