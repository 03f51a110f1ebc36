package ledger

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// tableCalls are the calls to Azure's tables, and the permissions of "Authorize with Microsoft Entra ID", without their common
// beginning. They have one price.
var tableCalls = map[string][]string{
	"GetEntity": {"entities/read"}, "QueryEntities": {"entities/read"}, "InsertEntity": {"entities/add/action"},
	"UpdateEntity": {"entities/update/action"}, "InsertOrReplaceEntity": {"entities/write"}, "DeleteEntity": {"entities/delete"},
	"Transaction": nil, // of its parts
}

// AzureTables returns a proxy for the table server at a URL, whose paths begin with the account. A transaction counts as many as
// it has parts: it is one request, but it is said to be billed by its entities.
func (l *Ledger) AzureTables(target string) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := tableOperation(r.Method, r.URL.Path, r.Header.Get("If-Match"))
		actions, ok := tableCalls[op]
		if !ok {
			http.Error(w, "the ledger does not know what this is billed as: "+r.Method+" "+r.URL.String(), http.StatusNotImplemented)
			return
		}
		parts := 1
		if op == "Transaction" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the client has gone
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			parts, actions = transaction(body)
		}
		l.enter(func(b *Bill) { // before the answer, behind which the next bill may begin
			b.called("tables", op, actions...)
			b.Units[tableOps.name] += float64(parts)
		})
		p.ServeHTTP(w, r)
	}), nil
}

// tableOperation names the operation that a request makes, or "". The path is account and table, with the keys of an entity where
// it is about one that is there; $batch stands for several.
func tableOperation(method, path, condition string) string {
	_, table, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	one := strings.Contains(table, "PartitionKey=")
	switch {
	case method == http.MethodPost && table == "$batch":
		return "Transaction"
	case method == http.MethodPost && table != "" && table != "Tables" && !one:
		return "InsertEntity"
	case method == http.MethodGet && one:
		return "GetEntity"
	case method == http.MethodGet && strings.HasSuffix(table, "()"):
		return "QueryEntities"
	case (method == http.MethodPut || method == http.MethodPatch) && one && condition != "":
		return "UpdateEntity"
	case (method == http.MethodPut || method == http.MethodPatch) && one:
		return "InsertOrReplaceEntity"
	case method == http.MethodDelete && one:
		return "DeleteEntity"
	}
	return ""
}

// part matches the request of one change in a transaction, up to its body.
var part = regexp.MustCompile(`(?m)^(POST|PUT|PATCH|MERGE|DELETE) https?://[^/]+(/\S*) HTTP/1\.1\r\n((?:[^\r\n]+\r\n)*)`)

// transaction returns how many changes a transaction has, and what they need.
func transaction(body []byte) (parts int, actions []string) {
	for _, m := range part.FindAllSubmatch(body, -1) {
		condition := ""
		for line := range strings.Lines(string(m[3])) {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "If-Match") {
				condition = strings.TrimSpace(value)
			}
		}
		method := string(m[1])
		if method == "MERGE" {
			method = http.MethodPatch
		}
		parts++
		actions = append(actions, tableCalls[tableOperation(method, string(m[2]), condition)]...)
	}
	return parts, actions
}
