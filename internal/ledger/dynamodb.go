package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// indexWrites are write units of the table's index. The clock has a part in them, so they are counted apart.
const indexWrites = "DynamoDB on demand, writes of the index"

// DynamoDB returns a proxy for the DynamoDB server at a URL.
func (l *Ledger) DynamoDB(target string) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	p.ModifyResponse = func(resp *http.Response) error {
		op := dynamoOperation(resp.Request)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		table, index := 0.0, 0.0
		if items[op] {
			if table, index, err = units(body, resp.StatusCode); err != nil {
				return fmt.Errorf("ledger: the answer to %s: %w", op, err)
			}
		}
		l.enter(func(b *Bill) {
			b.called("dynamodb", op, "dynamodb:"+op)
			if reads[op] {
				b.Units[read.name] += table + index
				return
			}
			b.Units[write.name] += table
			b.Units[indexWrites] += index
		})
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if items[dynamoOperation(r)] {
			if err := askForUnits(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
		}
		p.ServeHTTP(w, r)
	}), nil
}

// dynamoOperation returns the operation's name: of DynamoDB_20120810.UpdateItem what is behind the dot.
func dynamoOperation(r *http.Request) string {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return op
}

// askForUnits adds to a request that the answer shall tell its units. The server here does not verify signatures.
func askForUnits(r *http.Request) error {
	var in map[string]json.RawMessage
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	in["ReturnConsumedCapacity"] = json.RawMessage(`"INDEXES"`)
	if b, err = json.Marshal(in); err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return nil
}

// reads are the operations whose units are read units.
var reads = map[string]bool{"GetItem": true, "BatchGetItem": true, "Query": true, "Scan": true}

// items are the operations that have units.
var items = map[string]bool{
	"GetItem": true, "BatchGetItem": true, "Query": true, "Scan": true, "PutItem": true, "UpdateItem": true, "DeleteItem": true,
}

// consumed is the part of an answer that tells what it costs. BatchGetItem answers with a list, a failed condition with the item.
type consumed struct {
	ConsumedCapacity json.RawMessage
	Item             map[string]map[string]json.RawMessage
}

type capacity struct {
	CapacityUnits          float64
	GlobalSecondaryIndexes map[string]struct{ CapacityUnits float64 }
}

// units returns what an answer was billed: for the table and for its indexes.
func units(body []byte, status int) (table, index float64, err error) {
	var out consumed
	if err := json.Unmarshal(body, &out); err != nil {
		return 0, 0, err
	}
	var list []capacity
	switch {
	case status == http.StatusBadRequest && bytes.Contains(body, []byte("ConditionalCheckFailedException")):
		return float64((max(itemSize(out.Item), 1) + 1023) / 1024), 0, nil
	case len(out.ConsumedCapacity) == 0:
		return 0, 0, nil
	case out.ConsumedCapacity[0] == '[':
		err = json.Unmarshal(out.ConsumedCapacity, &list)
	default:
		list = make([]capacity, 1)
		err = json.Unmarshal(out.ConsumedCapacity, &list[0])
	}
	for _, c := range list {
		for _, i := range c.GlobalSecondaryIndexes {
			index += i.CapacityUnits
		}
		table += c.CapacityUnits
	}
	return table - index, index, err
}

// itemSize returns the size of an item as DynamoDB bills it, within a few bytes: names, and values as text or bytes.
func itemSize(item map[string]map[string]json.RawMessage) int {
	n := 0
	for name, typed := range item {
		n += len(name)
		for kind, v := range typed {
			size := len(bytes.Trim(v, `"`))
			if kind == "B" {
				size = size * 3 / 4
			}
			n += size
		}
	}
	return n
}
