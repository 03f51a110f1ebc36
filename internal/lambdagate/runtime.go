package lambdagate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// runtimeAPI is what one instance talks to: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
type runtimeAPI struct {
	addr    string
	arn     string
	srv     *http.Server
	next    chan *invocation
	waiting chan struct{} // holds one when the instance has asked for the next event

	mu      sync.Mutex
	current *invocation
	init    error
}

const version = "/2018-06-01/runtime/"

func newRuntimeAPI(name string) (*runtimeAPI, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lambdagate: runtime API: %w", err)
	}
	a := &runtimeAPI{
		addr: ln.Addr().String(), arn: "arn:aws:lambda:" + region + ":" + account + ":function:" + name,
		next: make(chan *invocation, 1), waiting: make(chan struct{}, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+version+"invocation/next", a.serveNext)
	mux.HandleFunc("POST "+version+"invocation/{id}/response", a.serveResponse)
	mux.HandleFunc("POST "+version+"invocation/{id}/error", a.serveError)
	mux.HandleFunc("POST "+version+"init/error", a.serveInitError)
	a.srv = &http.Server{Handler: mux, ReadHeaderTimeout: time.Hour} // a frozen process is slow
	go func() { _ = a.srv.Serve(ln) }()
	return a, nil
}

func (a *runtimeAPI) close() { _ = a.srv.Close() }

// hand makes inv the next event.
func (a *runtimeAPI) hand(inv *invocation) {
	a.mu.Lock()
	a.current = inv
	a.mu.Unlock()
	a.next <- inv
}

func (a *runtimeAPI) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case a.waiting <- struct{}{}:
	default: // it asks again without having been answered
	}
	select {
	case <-r.Context().Done():
	case inv := <-a.next:
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", a.arn)
		h.Set("Lambda-Runtime-Trace-Id", traceID()+";Parent=53995c3f42cd8ad8;Sampled=0")
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(inv.event)))
		_, _ = w.Write(inv.event) // it dies, or it answers
	}
}

// outcome reads what is posted for the invocation that the URL names.
func (a *runtimeAPI) outcome(w http.ResponseWriter, r *http.Request) (*invocation, []byte, error) {
	a.mu.Lock()
	inv := a.current
	a.mu.Unlock()
	if inv == nil || inv.id != r.PathValue("id") {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil, nil, errors.New("unknown invocation")
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	return inv, b, err
}

func (a *runtimeAPI) serveResponse(w http.ResponseWriter, r *http.Request) {
	inv, b, err := a.outcome(w, r)
	var large *http.MaxBytesError
	switch {
	case inv == nil:
		return
	case errors.As(err, &large):
		message := fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", maxAnswer)
		inv.settle(nil, &FunctionError{tooLargeError, message})
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", message)
		return
	case err != nil:
		return // it died while it answered
	}
	accept(w)
	inv.settle(b, nil)
}

func (a *runtimeAPI) serveError(w http.ResponseWriter, r *http.Request) {
	inv, b, err := a.outcome(w, r)
	if inv == nil || err != nil {
		return
	}
	accept(w)
	inv.settle(nil, functionError(b))
}

func (a *runtimeAPI) serveInitError(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	a.mu.Lock()
	a.init = functionError(b)
	a.mu.Unlock()
	accept(w)
}

func (a *runtimeAPI) initError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.init
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errorMessage":%q,"errorType":%q}`, message, kind)
}

// uuid returns a request id in the form of Lambda's.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// traceID returns an X-Ray id: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids.
func traceID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%x", time.Now().Unix(), b)
}
