package ledger

import (
	"net/http"
	"strings"
)

// blobFree is what Azure does not bill: deletions.
const blobFree = "Azure Blob Storage, deletions"

// blobCalls are the calls to Azure's blobs, by "Map each REST operation to a price" for a general-purpose account (v2), and by the
// permissions of "Authorize with Microsoft Entra ID", of which the common beginning is left out. "All operations and requests that the
// identity makes are billed, including the ones that don't succeed."
var blobCalls = map[string]call{
	"PutBlock":               {blobWrite.name, []string{"blobs/write"}},
	"PutBlockFromURL":        {blobWrite.name, []string{"blobs/write", "blobs/read"}},
	"PutBlockList":           {blobWrite.name, []string{"blobs/write"}},
	"PutBlob":                {blobWrite.name, []string{"blobs/write"}},
	"CopyBlob":               {blobWrite.name, []string{"blobs/write", "blobs/read"}},
	"AbortCopyBlob":          {blobOther.name, []string{"blobs/write"}},
	"ListBlobs":              {blobList.name, []string{"blobs/read"}},
	"GetBlob":                {blobRead.name, []string{"blobs/read"}},
	"GetBlobProperties":      {blobOther.name, []string{"blobs/read"}},
	"GetContainerProperties": {blobOther.name, []string{"containers/read"}},
	"DeleteBlob":             {blobFree, []string{"blobs/delete"}},
	"GetUserDelegationKey":   {blobOther.name, []string{"generateUserDelegationKey/action"}},
}

// AzureBlobs returns a proxy for the blob server at a URL, whose paths begin with the account. What clients signed stays as it is: no
// address is in it.
func (l *Ledger) AzureBlobs(target string) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	p.ModifyResponse = func(resp *http.Response) error {
		op := blobOperation(resp.Request)
		l.enter(func(b *Bill) {
			b.called("blobs", op, blobCalls[op].actions...)
			b.Units[blobCalls[op].unit]++
		})
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := blobOperation(r)
		if _, ok := blobCalls[op]; !ok {
			http.Error(w, "the ledger does not know what this is billed as: "+r.Method+" "+r.URL.String(), http.StatusNotImplemented)
			return
		}
		l.before(op)
		r.Body = &weighed{r.Body, l}
		p.ServeHTTP(w, r)
	}), nil
}

// blobOperation names the operation that a request makes, or "". The path is account, container and blob.
func blobOperation(r *http.Request) string {
	q := r.URL.Query()
	copies := r.Header.Get("X-Ms-Copy-Source") != ""
	blob := strings.Count(strings.Trim(r.URL.Path, "/"), "/") >= 2
	switch comp := q.Get("comp"); {
	case r.Method == http.MethodPost && comp == "userdelegationkey":
		return "GetUserDelegationKey"
	case q.Get("restype") == "container" && comp == "list" && r.Method == http.MethodGet:
		return "ListBlobs"
	case q.Get("restype") == "container" && comp == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return "GetContainerProperties"
	case !blob:
		return ""
	case r.Method == http.MethodPut:
		return map[string]map[bool]string{
			"block": {false: "PutBlock", true: "PutBlockFromURL"}, "blocklist": {false: "PutBlockList"}, "copy": {false: "AbortCopyBlob"},
			"": {false: "PutBlob", true: "CopyBlob"},
		}[comp][copies]
	case comp != "":
		return ""
	case r.Method == http.MethodGet:
		return "GetBlob"
	case r.Method == http.MethodHead:
		return "GetBlobProperties"
	case r.Method == http.MethodDelete:
		return "DeleteBlob"
	}
	return ""
}
