package webhook

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/fileloft/fileloft/tus"
)

// TypePrefix is in front of a hook's name in a message's type.
const TypePrefix = "io.fileloft.upload."

// contentType is that of CloudEvents in the structured mode with the JSON format.
const contentType = "application/cloudevents+json; charset=utf-8"

// A Message is the body of a request: a CloudEvent 1.0 in the structured mode, so that the signature covers all of it.
type Message struct {
	SpecVersion string `json:"specversion"` // 1.0
	// ID is the event's, the same whenever it is told again; of a question, one that no other has.
	ID     string `json:"id"`
	Source string `json:"source"`
	Type   string `json:"type"` // TypePrefix and the hook's name
	// Subject is the upload's id.
	Subject string `json:"subject,omitempty"`
	// Time is when this message was made; an event that is told again has a later one.
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// Data is what a message says. New members may come: receivers pass over those that they do not know.
type Data struct {
	Action string `json:"action,omitempty"` // of access: create, head, append, terminate, download or concat
	// Upload is as it was when the thing happened, or is now. Of access for an upload that does not exist it has the id alone;
	// of access for create it is missing.
	Upload *Upload `json:"upload,omitempty"`
	// Headers are those of the client's request that are forwarded, of access and pre-create.
	Headers http.Header `json:"headers,omitempty"`
}

// An Upload is a record as receivers see it.
type Upload struct {
	ID     string `json:"id"`
	Key    string `json:"key,omitempty"`    // of the finished object, below the storage's prefix or directory
	Length *int64 `json:"length,omitempty"` // missing while it is not known
	Offset int64  `json:"offset"`           // bytes that are stored
	Phase  string `json:"phase,omitempty"`  // open, sealed, done or doomed
	// Metadata is Upload-Metadata decoded, without the values that are not UTF-8.
	Metadata map[string]string `json:"metadata,omitempty"`
	// UploadMetadata is Upload-Metadata as the client sent it, or as pre-create made it.
	UploadMetadata string    `json:"upload_metadata,omitempty"`
	Concat         string    `json:"concat,omitempty"` // partial or final; missing for ordinary uploads
	Parts          []string  `json:"parts,omitempty"`  // of a final upload, the ids of its parts in order
	Created        time.Time `json:"created,omitzero"`
	Expires        time.Time `json:"expires,omitzero"`
	// CRC32C and SHA256 are over all bytes, in hexadecimal, once they are there; SHA256 where the server keeps one.
	CRC32C string `json:"crc32c,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

func describe(u *tus.Upload) *Upload {
	d := &Upload{
		ID: string(u.ID), Key: u.ObjectKey(), Offset: u.Offset, Phase: u.Phase.String(), UploadMetadata: u.Metadata,
		Created: u.Created.UTC(), Expires: u.Expires.UTC(),
	}
	if u.Length != tus.Unknown {
		d.Length = &u.Length
	}
	if m, err := tus.ParseMetadata(u.Metadata); err == nil {
		for k, v := range m {
			if !utf8.ValidString(v) {
				delete(m, k)
			}
		}
		d.Metadata = m
	}
	switch u.Concat.Role {
	case tus.Partial:
		d.Concat = "partial"
	case tus.Final:
		d.Concat = "final"
		for _, id := range u.Concat.Parts {
			d.Parts = append(d.Parts, string(id))
		}
	}
	if len(u.Digest) > 0 && u.Offset == u.Length {
		if sums, err := u.Sums(); err == nil {
			d.CRC32C = fmt.Sprintf("%08x", sums.CRC32C)
			d.SHA256 = hex.EncodeToString(sums.SHA256)
		}
	}
	return d
}
