package gcsfake

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// maxSources is how many objects a compose takes (https://cloud.google.com/storage/docs/composite-objects).
const maxSources = 32

type composeRequest struct {
	Destination   resource `json:"destination"`
	SourceObjects []struct {
		Name                string `json:"name"`
		Generation          int64  `json:"generation,string"`
		ObjectPreconditions struct {
			IfGenerationMatch *string `json:"ifGenerationMatch"`
		} `json:"objectPreconditions"`
	} `json:"sourceObjects"`
	DeleteSourceObjects bool `json:"deleteSourceObjects"`
}

// compose is https://cloud.google.com/storage/docs/json_api/v1/objects/compose. All happens at once: the sources are as they are
// when the destination is made.
func (s *Server) compose(r *http.Request) (*answer, error) {
	var in composeRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, fail(http.StatusBadRequest, "parseError", "Parse Error: %v", err)
	}
	if n := len(in.SourceObjects); n == 0 || n > maxSources {
		return nil, fail(http.StatusBadRequest, "invalid", "The number of source components provided (%d) must be from 1 to %d.", n, maxSources)
	}
	if in.DeleteSourceObjects {
		return nil, fail(http.StatusNotImplemented, "notImplemented", "deleteSourceObjects")
	}
	c, err := parseConditions(query(r), "if")
	if err != nil {
		return nil, err
	}
	bucket, name := r.PathValue("bucket"), r.PathValue("object")
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.join(bucket, &in)
	if err != nil {
		return nil, err
	}
	if err := c.check(s.buckets[bucket][name], false); err != nil {
		return nil, err
	}
	if o, err = s.put(bucket, name, o); err != nil {
		return nil, err
	}
	return &answer{json: o.res}, nil
}

// join makes an object of the sources. It has a crc32c and a component count, and no md5.
func (s *Server) join(bucket string, in *composeRequest) (*object, error) {
	o := &object{res: in.Destination}
	crc, class := uint32(0), ""
	o.res.ComponentCount = 0
	for i, src := range in.SourceObjects {
		part, err := s.find(bucket, src.Name)
		if err != nil {
			return nil, err
		}
		if src.Generation != 0 && src.Generation != part.res.Generation {
			return nil, fail(http.StatusNotFound, "notFound", "No such object: %s/%s#%d", bucket, src.Name, src.Generation)
		}
		if want := src.ObjectPreconditions.IfGenerationMatch; want != nil && *want != strconv.FormatInt(part.res.Generation, 10) {
			return nil, unmet(http.StatusPreconditionFailed)
		}
		if i > 0 && part.res.StorageClass != class {
			return nil, fail(http.StatusBadRequest, "invalid", "all sources must have the same storage class")
		}
		class = part.res.StorageClass
		o.data = append(o.data, part.data...)
		o.size += part.size
		crc = combine(crc, part.crc, part.size)
		o.res.ComponentCount += max(part.res.ComponentCount, 1)
	}
	want := in.Destination
	o.setCRC(crc)
	o.res.MD5Hash, o.res.StorageClass = "", class // an md5 that is sent is ignored
	return o, compare(want, &o.res)
}

// rewrite is https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite within one location: done in one call.
func (s *Server) rewrite(r *http.Request) (*answer, error) {
	var want resource
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, fail(http.StatusBadRequest, "parseError", "Parse Error: %v", err)
	}
	q := query(r)
	dst, err := parseConditions(q, "if")
	if err != nil {
		return nil, err
	}
	src, err := parseConditions(q, "ifSource")
	if err != nil {
		return nil, err
	}
	bucket, name := r.PathValue("bucket2"), r.PathValue("object2")
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := s.find(r.PathValue("bucket"), r.PathValue("object"))
	if err != nil {
		return nil, err
	}
	if g := q.Get("sourceGeneration"); g != "" && g != strconv.FormatInt(from.res.Generation, 10) {
		return nil, fail(http.StatusNotFound, "notFound", "No such object of this generation")
	}
	if err := src.check(from, false); err != nil {
		return nil, err
	}
	objects, err := s.bucket(bucket)
	if err != nil {
		return nil, err
	}
	if err := dst.check(objects[name], false); err != nil {
		return nil, err
	}
	o := &object{res: from.res, data: from.data, size: from.size, crc: from.crc}
	if want.ContentType != "" || want.Metadata != nil { // metadata that are sent take the place of all there were
		o.res = want
		o.res.MD5Hash = from.res.MD5Hash
		o.setCRC(from.crc)
	}
	if o.res.StorageClass = want.StorageClass; o.res.StorageClass == "" {
		o.res.StorageClass = from.res.StorageClass
	}
	o.res.ComponentCount = min(from.res.ComponentCount, 1)
	if o, err = s.put(bucket, name, o); err != nil {
		return nil, err
	}
	return &answer{json: map[string]any{
		"kind": "storage#rewriteResponse", "done": true, "objectSize": o.res.Size, "totalBytesRewritten": o.res.Size, "resource": o.res,
	}}, nil
}
