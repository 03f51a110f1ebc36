package ledger

import (
	"net/http"
	"strings"
)

// S3 returns a proxy for the S3 server at a URL. Clients name the bucket in the path. What they signed stays as it is, the Host too.
func (l *Ledger) S3(target string) (http.Handler, error) {
	p, err := proxy(target)
	if err != nil {
		return nil, err
	}
	p.ModifyResponse = func(resp *http.Response) error {
		op := s3Operation(resp.Request)
		l.enter(func(b *Bill) {
			b.called("s3", op, s3Actions(op, resp.Request, resp.StatusCode)...)
			b.Units[calls[op].unit]++
		})
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.before(s3Operation(r))
		p.ServeHTTP(w, r)
	}), nil
}

// s3Free is DELETE, and the abort of an upload, which is one.
const s3Free = "S3, deletions and aborts"

// A call is one kind of request: what it is billed as, and what a policy must allow for it.
type call struct {
	unit    string
	actions []string
}

// calls are those of S3, with the permissions of "Required permissions for Amazon S3 API operations" in the user guide.
var calls = map[string]call{
	"PutObject":               {s3Put.name, []string{"s3:PutObject"}},
	"CreateMultipartUpload":   {s3Put.name, []string{"s3:PutObject"}},
	"UploadPart":              {s3Put.name, []string{"s3:PutObject"}},
	"UploadPartCopy":          {s3Put.name, []string{"s3:GetObject", "s3:PutObject"}},
	"CompleteMultipartUpload": {s3Put.name, []string{"s3:PutObject"}},
	"CopyObject":              {s3Put.name, []string{"s3:GetObject", "s3:PutObject"}},
	"ListObjectsV2":           {s3Put.name, []string{"s3:ListBucket"}},
	"ListParts":               {s3Put.name, []string{"s3:ListMultipartUploadParts"}},
	"ListMultipartUploads":    {s3Put.name, []string{"s3:ListBucketMultipartUploads"}},
	"GetObject":               {s3Get.name, []string{"s3:GetObject"}},
	"HeadObject":              {s3Get.name, []string{"s3:GetObject"}},
	"HeadBucket":              {s3Get.name, []string{"s3:ListBucket"}},
	"DeleteObject":            {s3Free, []string{"s3:DeleteObject"}},
	"DeleteObjects":           {s3Free, []string{"s3:DeleteObject"}},
	"AbortMultipartUpload":    {s3Free, []string{"s3:AbortMultipartUpload"}},
}

// s3Operation names the operation that a request with the bucket in its path asks for.
func s3Operation(r *http.Request) string {
	q := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	switch r.Method {
	case http.MethodPut:
		switch {
		case q.Has("partNumber") && copies:
			return "UploadPartCopy"
		case q.Has("partNumber"):
			return "UploadPart"
		case copies:
			return "CopyObject"
		}
		return "PutObject"
	case http.MethodPost:
		switch {
		case q.Has("uploads"):
			return "CreateMultipartUpload"
		case q.Has("uploadId"):
			return "CompleteMultipartUpload"
		}
		return "DeleteObjects"
	case http.MethodDelete:
		if q.Has("uploadId") {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	case http.MethodHead:
		if key == "" {
			return "HeadBucket"
		}
		return "HeadObject"
	}
	switch {
	case q.Has("uploadId"):
		return "ListParts"
	case q.Has("uploads"):
		return "ListMultipartUploads"
	case key == "":
		return "ListObjectsV2"
	}
	return "GetObject"
}

// s3Actions returns what a policy must allow for a request that was answered with a status. Of what is not there GET and HEAD
// answer 404 to those who may list the bucket, and 403 to others: the driver takes a 403 for a failure, and has to be told the
// truth, so each 404 here is a use of s3:ListBucket.
func s3Actions(op string, r *http.Request, status int) []string {
	actions := calls[op].actions
	if status == http.StatusNotFound && (op == "GetObject" || op == "HeadObject") {
		actions = append(actions[:len(actions):len(actions)], "s3:ListBucket")
	}
	if r.Header.Get("X-Amz-Tagging") != "" {
		actions = append(actions[:len(actions):len(actions)], "s3:PutObjectTagging")
	}
	return actions
}
