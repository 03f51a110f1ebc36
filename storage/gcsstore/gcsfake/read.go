package gcsfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// get is objects.get: the metadata, or with alt=media the bytes.
func (s *Server) get(r *http.Request) (*answer, error) {
	o, err := s.look(r)
	if err != nil {
		return nil, err
	}
	if query(r).Get("alt") != "media" && !strings.HasPrefix(r.URL.Path, "/download/") {
		return &answer{json: o.res}, nil
	}
	return o.media(r)
}

// look finds the object that a request names, if the conditions hold.
func (s *Server) look(r *http.Request) (*object, error) {
	q := query(r)
	c, err := parseConditions(q, "if")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.find(r.PathValue("bucket"), r.PathValue("object"))
	if err != nil {
		return nil, err
	}
	if !ofGeneration(q, o) {
		return nil, fail(http.StatusNotFound, "notFound", "No such object: %s#%s", o.res.Name, q.Get("generation"))
	}
	return o, c.check(o, true)
}

// getXML is GET Object and HEAD Object of the XML API (https://cloud.google.com/storage/docs/xml-api/get-object), and what a signed
// link leads to.
func (s *Server) getXML(r *http.Request) (*answer, error) {
	q := query(r)
	if date := q.Get("X-Goog-Date"); date != "" {
		from, err := time.Parse("20060102T150405Z", date)
		life, err2 := strconv.Atoi(q.Get("X-Goog-Expires"))
		if err != nil || err2 != nil || s.opt.Now().After(from.Add(time.Duration(life)*time.Second)) {
			return nil, fail(http.StatusBadRequest, "ExpiredToken", "Invalid argument.")
		}
	}
	for header, name := range map[string]string{
		"X-Goog-If-Generation-Match": "ifGenerationMatch", "X-Goog-If-Metageneration-Match": "ifMetagenerationMatch",
	} {
		if v := r.Header.Get(header); v != "" {
			q.Set(name, v)
		}
	}
	r.URL.RawQuery = q.Encode()
	o, err := s.look(r)
	if err != nil {
		return nil, err
	}
	a, err := o.media(r)
	if err != nil {
		return nil, err
	}
	for k, v := range o.res.Metadata {
		a.header.Set("X-Goog-Meta-"+k, v)
	}
	for param, header := range map[string]string{
		"response-content-type": "Content-Type", "response-content-disposition": "Content-Disposition",
	} {
		if v := q.Get(param); v != "" {
			a.header.Set(header, v)
		}
	}
	return a, nil
}

// media is an object's bytes, or the one range that is asked for.
func (o *object) media(r *http.Request) (*answer, error) {
	h := http.Header{}
	for name, v := range map[string]string{
		"Content-Type": o.res.ContentType, "Content-Disposition": o.res.ContentDisposition, "Content-Language": o.res.ContentLanguage,
		"Cache-Control": o.res.CacheControl, "Etag": strconv.Quote(o.res.ETag), "Accept-Ranges": "bytes",
	} {
		if v != "" {
			h.Set(name, v)
		}
	}
	if t, err := time.Parse("2006-01-02T15:04:05.000Z", o.res.Updated); err == nil {
		h.Set("Last-Modified", t.Format(http.TimeFormat))
	}
	h.Set("X-Goog-Generation", strconv.FormatInt(o.res.Generation, 10))
	h.Set("X-Goog-Metageneration", strconv.FormatInt(o.res.Metageneration, 10))
	h.Set("X-Goog-Stored-Content-Length", o.res.Size)
	h.Set("X-Goog-Stored-Content-Encoding", "identity")
	h.Add("X-Goog-Hash", "crc32c="+o.res.CRC32C)
	if o.res.MD5Hash != "" {
		h.Add("X-Goog-Hash", "md5="+o.res.MD5Hash)
	}
	a := &answer{header: h, body: &reader{data: o.data, left: o.size}}
	spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !ok {
		return a, nil
	}
	from, to, ok := span(spec, o.size)
	if !ok {
		return a, nil // what is no range, or several, is answered with all
	}
	if from >= o.size {
		return nil, fail(http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable", "Request range not satisfiable")
	}
	to = min(to, o.size-1)
	a.status = http.StatusPartialContent
	a.body.off, a.body.left = from, to-from+1
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, o.size))
	return a, nil
}

// span reads one range: "a-b", "a-" or "-n", the last n bytes.
func span(spec string, size int64) (from, to int64, ok bool) {
	first, last, ok := strings.Cut(spec, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	switch {
	case first == "" && err2 == nil:
		return max(size-to, 0), size - 1, ok
	case err == nil && last == "":
		return from, size - 1, ok
	}
	return from, to, ok && err == nil && err2 == nil && from <= to
}

// patch is https://cloud.google.com/storage/docs/json_api/v1/objects/patch: a new metageneration.
func (s *Server) patch(r *http.Request) (*answer, error) {
	q := query(r)
	c, err := parseConditions(q, "if")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, name := r.PathValue("bucket"), r.PathValue("object")
	o, err := s.find(bucket, name)
	if err != nil {
		return nil, err
	}
	if err := c.check(o, false); err != nil {
		return nil, err
	}
	next := *o
	next.res.Metadata = maps.Clone(o.res.Metadata)
	if err := json.NewDecoder(r.Body).Decode(&next.res); err != nil {
		return nil, fail(http.StatusBadRequest, "parseError", "Parse Error: %v", err)
	}
	next.res.Metageneration++
	next.res.Updated = s.opt.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	s.buckets[bucket][name] = &next
	return &answer{json: next.res}, nil
}

// delete is https://cloud.google.com/storage/docs/json_api/v1/objects/delete.
func (s *Server) delete(r *http.Request) (*answer, error) {
	q := query(r)
	c, err := parseConditions(q, "if")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, name := r.PathValue("bucket"), r.PathValue("object")
	o, err := s.find(bucket, name)
	if err != nil {
		return nil, err
	}
	if !ofGeneration(q, o) {
		return nil, fail(http.StatusNotFound, "notFound", "No such object: %s#%s", name, q.Get("generation"))
	}
	if err := c.check(o, false); err != nil {
		return nil, err
	}
	delete(s.buckets[bucket], name)
	return &answer{status: http.StatusNoContent}, nil
}

// list is https://cloud.google.com/storage/docs/json_api/v1/objects/list: in the order of the names, names with the delimiter behind
// the prefix rolled up into prefixes, which count for the page's length too.
func (s *Server) list(r *http.Request) (*answer, error) {
	q := query(r)
	limit := s.opt.PageSize
	if n, err := strconv.Atoi(q.Get("maxResults")); err == nil && n > 0 {
		limit = min(limit, n)
	}
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, err := s.bucket(r.PathValue("bucket"))
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range objects {
		if strings.HasPrefix(name, prefix) && name > q.Get("pageToken") && name >= q.Get("startOffset") &&
			(q.Get("endOffset") == "" || name < q.Get("endOffset")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var items []resource
	var prefixes []string
	last := "" // of the page so far
	for _, name := range names {
		i := -1
		if delimiter != "" {
			i = strings.Index(name[len(prefix):], delimiter)
		}
		if i >= 0 {
			p := name[:len(prefix)+i+len(delimiter)]
			if slices.Contains(prefixes, p) || strings.HasPrefix(q.Get("pageToken"), p) {
				last = name
				continue
			}
			if len(items)+len(prefixes) == limit {
				return page(items, prefixes, last), nil
			}
			prefixes = append(prefixes, p)
		} else {
			if len(items)+len(prefixes) == limit {
				return page(items, prefixes, last), nil
			}
			items = append(items, objects[name].res)
		}
		last = name
	}
	return page(items, prefixes, ""), nil
}

func page(items []resource, prefixes []string, next string) *answer {
	out := map[string]any{"kind": "storage#objects"}
	if len(items) > 0 {
		out["items"] = items
	}
	if len(prefixes) > 0 {
		out["prefixes"] = prefixes
	}
	if next != "" {
		out["nextPageToken"] = next
	}
	return &answer{json: out}
}
