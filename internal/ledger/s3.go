package ledger

import (
	"net/http"
	"strings"
)

// A class is what S3's price list tells apart.
type class int

const (
	putClass class = iota // "PUT, COPY, POST, LIST requests"
	getClass              // "GET, SELECT, and all other requests"
	free                  // DELETE, and the abort of an upload, which is one
)

// A call is one kind of request to S3: its class, and what a policy must allow for it, by "Required permissions for Amazon S3
// API operations" in the user guide.
type call struct {
	class   class
	actions []string
}

var calls = map[string]call{
	"PutObject":               {putClass, []string{"s3:PutObject"}},
	"CreateMultipartUpload":   {putClass, []string{"s3:PutObject"}},
	"UploadPart":              {putClass, []string{"s3:PutObject"}},
	"UploadPartCopy":          {putClass, []string{"s3:GetObject", "s3:PutObject"}},
	"CompleteMultipartUpload": {putClass, []string{"s3:PutObject"}},
	"CopyObject":              {putClass, []string{"s3:GetObject", "s3:PutObject"}},
	"ListObjectsV2":           {putClass, []string{"s3:ListBucket"}},
	"ListParts":               {putClass, []string{"s3:ListMultipartUploadParts"}},
	"ListMultipartUploads":    {putClass, []string{"s3:ListBucketMultipartUploads"}},
	"GetObject":               {getClass, []string{"s3:GetObject"}},
	"HeadObject":              {getClass, []string{"s3:GetObject"}},
	"HeadBucket":              {getClass, []string{"s3:ListBucket"}},
	"DeleteObject":            {free, []string{"s3:DeleteObject"}},
	"DeleteObjects":           {free, []string{"s3:DeleteObject"}},
	"AbortMultipartUpload":    {free, []string{"s3:AbortMultipartUpload"}},
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
