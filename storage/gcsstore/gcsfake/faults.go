package gcsfake

import (
	"bytes"
	"hash/crc32"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A Call is one request, named as in https://cloud.google.com/storage/docs/json_api/v1: "objects.insert", "objects.compose". A
// request to a resumable session is "sessions.write" or "sessions.query"; only the one that begins it is an insert.
type Call struct{ Name, Object string }

// A Fault is what goes wrong with a call.
type Fault uint8

// The faults.
const (
	NoFault     Fault = iota
	LoseRequest       // nothing is done, and the connection breaks
	LoseAnswer        // everything is done, and the connection breaks
	Unavailable       // nothing is done, and the answer is 503
)

func (s *Server) identify(r *http.Request, name string) Call {
	c := Call{name, r.PathValue("object")}
	q := query(r)
	switch {
	case name == "objects.insert" && q.Get("upload_id") != "":
		c.Name = "sessions.write"
		if strings.HasPrefix(r.Header.Get("Content-Range"), "bytes */*") {
			c.Name = "sessions.query"
		}
	case name == "objects.insert":
		c.Object = q.Get("name")
	}
	return c
}

func (s *Server) count(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[c.Name]++
}

// Used returns how often each call was made since the last time.
func (s *Server) Used() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.counts
	s.counts = map[string]int{}
	return used
}

// Classes adds calls up by the classes of https://cloud.google.com/storage/pricing#operations-by-class. An upload is one
// operation of class A, in whatever form and in however many requests it comes.
func Classes(used map[string]int) (a, b, free int) {
	for name, n := range used {
		switch name {
		case "objects.insert", "objects.compose", "objects.rewrite", "objects.list", "objects.patch", "buckets.insert":
			a += n
		case "objects.get", "buckets.get":
			b += n
		default:
			free += n
		}
	}
	return a, b, free
}

// Replaced returns the names of the objects that were written while there was one of that name.
func (s *Server) Replaced() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.replaced)
}

// Names returns the names of a bucket's objects whose metadata meet a condition, in order. Nil stands for all.
func (s *Server) Names(bucket string, is func(name string, metadata map[string]string) bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, o := range s.buckets[bucket] {
		if is == nil || is(name, o.res.Metadata) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Object returns an object's bytes, and whether there is one of that name.
func (s *Server) Object(bucket, name string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.buckets[bucket][name]
	if o == nil {
		return nil, false
	}
	return bytes.Join(o.data, nil), true
}

// Sessions returns the names that the resumable uploads are for which have neither become an object nor ended, in order.
func (s *Server) Sessions(bucket string) []string {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	var names []string
	for _, ses := range all {
		ses.mu.Lock() // a request holds it while it asks for the server's
		s.mu.Lock()
		if ses.u.bucket == bucket && ses.done == nil && !ses.gone {
			names = append(names, ses.u.res.Name)
		}
		s.mu.Unlock()
		ses.mu.Unlock()
	}
	slices.Sort(names)
	return names
}

// Harm does to an object what a store must never do: it replaces its bytes, and with them their crc32c, under the same generation.
// It reports whether there is such an object.
func (s *Server) Harm(bucket, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.buckets[bucket][name]
	if o == nil {
		return false
	}
	other := *o
	other.data = [][]byte{slices.Repeat([]byte{'?'}, int(o.size))}
	other.setCRC(crc32.Checksum(other.data[0], castagnoli))
	s.buckets[bucket][name] = &other
	return true
}

// EndSessions ends all resumable sessions, as Google does after a week: requests to them are answered 410.
func (s *Server) EndSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range maps.Keys(s.sessions) {
		s.sessions[id].gone = true
	}
}

func (s *Server) dropSession(r *http.Request) (*answer, error) {
	ses, err := s.session(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	ses.gone = true
	s.mu.Unlock()
	// https://cloud.google.com/storage/docs/performing-resumable-uploads#cancel-upload
	return &answer{status: 499, header: http.Header{}}, nil
}
