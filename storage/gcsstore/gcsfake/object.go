package gcsfake

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// resource is an object's metadata as https://cloud.google.com/storage/docs/json_api/v1/objects#resource has them.
type resource struct {
	Kind               string            `json:"kind,omitempty"`
	ID                 string            `json:"id,omitempty"`
	Name               string            `json:"name,omitempty"`
	Bucket             string            `json:"bucket,omitempty"`
	Generation         int64             `json:"generation,string,omitempty"`
	Metageneration     int64             `json:"metageneration,string,omitempty"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	Size               string            `json:"size,omitempty"`
	MD5Hash            string            `json:"md5Hash,omitempty"`
	CRC32C             string            `json:"crc32c,omitempty"`
	ETag               string            `json:"etag,omitempty"`
	TimeCreated        string            `json:"timeCreated,omitempty"`
	Updated            string            `json:"updated,omitempty"`
	ComponentCount     int               `json:"componentCount,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// An object never changes: what is written takes its place.
type object struct {
	res  resource
	data [][]byte // shared with the objects that it was composed of
	size int64
	crc  uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// content is what an upload has brought so far.
type content struct {
	data [][]byte
	size int64
	crc  uint32
	md5  hash.Hash
	keep bool // the bytes, not their sums alone
}

func (s *Server) newContent() content {
	return content{md5: md5.New(), keep: !s.opt.Discard} //nolint:gosec // a checksum of Google's, not a secret's
}

// read takes in all of r. Where whole says so, what is short of a quantum at the end is left out, unless the sum is total.
func (c *content) read(r io.Reader, whole bool, total int64) error {
	var block []byte
	for {
		if block == nil || c.keep {
			block = make([]byte, quantum/64)
		}
		n, err := 0, error(nil)
		for n < quantum && err == nil { // io.ReadFull cannot tell a body that ends from one that breaks off
			if n == len(block) { // most are short
				block = slices.Grow(block, quantum-n)[:quantum]
			}
			var k int
			k, err = r.Read(block[n:])
			n += k
		}
		if n == quantum || err == io.EOF && n > 0 && (!whole || c.size+int64(n) == total) {
			if c.keep && n < quantum/2 { // a small object does not hold a large block
				block = bytes.Clone(block[:n])
			}
			c.add(block[:n])
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *content) add(b []byte) {
	c.crc = crc32.Update(c.crc, castagnoli, b)
	_, _ = c.md5.Write(b)
	c.size += int64(len(b))
	if c.keep {
		c.data = append(c.data, b)
	}
}

func (o *object) setCRC(crc uint32) {
	o.crc = crc
	o.res.CRC32C = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

// put makes an object the live one of its name. The caller holds the lock and has checked the conditions.
func (s *Server) put(bucket, name string, o *object) (*object, error) {
	now := s.opt.Now()
	key := bucket + "/" + name
	if s.opt.WriteRate && now.Sub(s.written[key]) < time.Second {
		return nil, fail(http.StatusTooManyRequests, "rateLimitExceeded", "The object %s exceeded the rate limit for object mutation operations", key)
	}
	s.written[key] = now
	if s.buckets[bucket][name] != nil {
		s.replaced = append(s.replaced, name)
	}
	s.last = max(s.last+1, now.UnixMicro())
	stamp := now.UTC().Format("2006-01-02T15:04:05.000Z")
	gen := strconv.FormatInt(s.last, 10)
	r := &o.res
	r.Kind, r.Name, r.Bucket = "storage#object", name, bucket
	r.ID = key + "/" + gen
	r.Generation, r.Metageneration = s.last, 1
	r.ETag = base64.StdEncoding.EncodeToString([]byte(gen))
	r.Size = strconv.FormatInt(o.size, 10)
	r.TimeCreated, r.Updated = stamp, stamp
	if r.StorageClass == "" {
		r.StorageClass = "STANDARD"
	}
	if s.opt.Discard {
		o.data = nil
	}
	s.buckets[bucket][name] = o
	return o, nil
}

// find returns a live object. The caller holds the lock.
func (s *Server) find(bucket, name string) (*object, error) {
	objects, err := s.bucket(bucket)
	if err != nil {
		return nil, err
	}
	if o := objects[name]; o != nil {
		return o, nil
	}
	return nil, fail(http.StatusNotFound, "notFound", "No such object: %s/%s", bucket, name)
}

func (s *Server) bucket(name string) (map[string]*object, error) {
	if objects, ok := s.buckets[name]; ok {
		return objects, nil
	}
	return nil, fail(http.StatusNotFound, "notFound", "The specified bucket does not exist.")
}

func (s *Server) insertBucket(r *http.Request) (*answer, error) {
	var b struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.Name == "" {
		return nil, fail(http.StatusBadRequest, "required", "Required: name")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[b.Name] != nil {
		return nil, fail(http.StatusConflict, "conflict", "Your previous request to create the named bucket succeeded and you already own it.")
	}
	s.buckets[b.Name] = map[string]*object{}
	return &answer{json: map[string]string{"kind": "storage#bucket", "name": b.Name}}, nil
}

func (s *Server) getBucket(r *http.Request) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("bucket")
	if _, err := s.bucket(name); err != nil {
		return nil, err
	}
	return &answer{json: map[string]string{"kind": "storage#bucket", "name": name}}, nil
}

// reader hands out a range of an object.
type reader struct {
	data [][]byte
	off  int64
	left int64
}

var zeros = make([]byte, 64<<10)

// WriteTo implements io.WriterTo.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	sum, off := int64(0), r.off
	if r.data == nil {
		for sum < r.left {
			n, err := w.Write(zeros[:min(int64(len(zeros)), r.left-sum)])
			sum += int64(n)
			if err != nil {
				return sum, err
			}
		}
	}
	for _, d := range r.data {
		if off >= int64(len(d)) {
			off -= int64(len(d))
			continue
		}
		d = d[off:]
		off = 0
		n, err := w.Write(d[:min(int64(len(d)), r.left-sum)])
		sum += int64(n)
		if err != nil || sum == r.left {
			return sum, err
		}
	}
	return sum, nil
}
