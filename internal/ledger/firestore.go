package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"path"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/proto"
)

// firestoreCalls are the calls to Firestore, and what each enters of its request and its answers.
var firestoreCalls = map[string]func(b *Bill, request []byte, answers [][]byte) error{
	"BatchGetDocuments": documentsRead, "RunQuery": queried, "Commit": committed,
}

// asked is the key of a request's message in its context.
type asked struct{}

// Firestore returns a proxy for the Firestore server at an address. Both sides speak gRPC, which is HTTP/2 without TLS here: who
// serves the proxy has to allow that.
func (l *Ledger) Firestore(addr string) (http.Handler, error) {
	p, err := proxy("http://" + addr)
	if err != nil {
		return nil, err
	}
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	p.Transport = &http.Transport{DisableCompression: true, Protocols: h2c}
	p.ModifyResponse = func(resp *http.Response) error {
		body, err := io.ReadAll(resp.Body) // of a call of these kinds it ends
		if err != nil {
			return err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		op := path.Base(resp.Request.URL.Path)
		answers, err := messages(body)
		if err != nil {
			return fmt.Errorf("ledger: the answer to %s: %w", op, err)
		}
		request, _ := resp.Request.Context().Value(asked{}).([]byte)
		l.enter(func(b *Bill) {
			b.called("firestore", op)
			err = firestoreCalls[op](b, request, answers)
		})
		return err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if firestoreCalls[path.Base(r.URL.Path)] == nil {
			http.Error(w, "the ledger does not know what this is billed as: "+r.URL.Path, http.StatusNotImplemented)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		in, err := messages(body)
		if err != nil || len(in) != 1 {
			http.Error(w, fmt.Sprintf("ledger: %s with %d messages: %v", r.URL.Path, len(in), err), http.StatusBadGateway)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), asked{}, in[0]))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		p.ServeHTTP(w, r)
	}), nil
}

// messages takes a gRPC stream apart: each message has a flag, which is 0 where it is not compressed, and its length before it.
func messages(stream []byte) (all [][]byte, err error) {
	for len(stream) > 0 {
		if len(stream) < 5 || stream[0] != 0 {
			return nil, fmt.Errorf("a message is compressed or cut off")
		}
		n := uint64(binary.BigEndian.Uint32(stream[1:5])) + 5
		if uint64(len(stream)) < n {
			return nil, io.ErrUnexpectedEOF
		}
		all = append(all, stream[5:n])
		stream = stream[n:]
	}
	return all, nil
}

// Permissions are by "Required permissions" in "Security for server client libraries", units by "Firestore pricing".

// documentsRead: what is not there is a read as well.
func documentsRead(b *Bill, _ []byte, answers [][]byte) error {
	b.Actions["datastore.entities.get"]++
	for _, answer := range answers {
		var m firestorepb.BatchGetDocumentsResponse
		if err := proto.Unmarshal(answer, &m); err != nil {
			return err
		}
		if m.GetFound() != nil || m.GetMissing() != "" {
			b.Units[docReads.name]++
		}
	}
	return nil
}

// queried: a query is one read at least.
func queried(b *Bill, _ []byte, answers [][]byte) error {
	b.Actions["datastore.entities.get"]++
	b.Actions["datastore.entities.list"]++
	n := 0
	for _, answer := range answers {
		var m firestorepb.RunQueryResponse
		if err := proto.Unmarshal(answer, &m); err != nil {
			return err
		}
		if m.GetDocument() != nil {
			n++
		}
	}
	b.Units[docReads.name] += float64(max(n, 1))
	return nil
}

// committed: each document is a write or a deletion. Whether one is billed that is refused is not said; here it is. Nor does the table of
// permissions have a row for a write whose condition is a time: it is taken for one without a condition.
func committed(b *Bill, request []byte, _ [][]byte) error {
	var m firestorepb.CommitRequest
	if err := proto.Unmarshal(request, &m); err != nil {
		return err
	}
	for _, w := range m.GetWrites() {
		exists, told := w.GetCurrentDocument().GetConditionType().(*firestorepb.Precondition_Exists)
		switch {
		case w.GetDelete() != "":
			b.Units[docDeletes.name]++
			b.Actions["datastore.entities.delete"]++
			continue
		case !told || !exists.Exists:
			b.Actions["datastore.entities.create"]++
		}
		if !told || exists.Exists {
			b.Actions["datastore.entities.update"]++
		}
		b.Units[docWrites.name]++
	}
	return nil
}
