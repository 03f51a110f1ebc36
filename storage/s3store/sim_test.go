package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fileloft/fileloft/internal/sim"
	"github.com/fileloft/fileloft/tus"
)

// The whole engine over this driver over S3's semantics: each request to S3 is a step that may be the last of its process, be lost,
// arrive late or twice, and has all other processes' steps around it.
var simulated = sim.Config{
	Package: "./storage/s3store",
	New:     newStage,
	Changes: []string{
		"create session", "complete", "publish", "abort", "upload part", "copy part", "put tail", "put note", "put sign", "put object",
		"delete tail", "delete note", "delete object", // a sign goes when all is calm
	},
	Reads: []string{"list parts", "list pieces", "get tail", "get object", "head sign", "head object"},
	Rare: []string{
		"create session", "complete", "publish", "abort", "copy part", "put note", "put sign", "put object", "delete note", "delete object",
		"list parts", "list pieces", "get object", "head sign", "head object",
	},
	Schedules: 3000,
}

func TestSchedules(t *testing.T) { sim.Run(t, simulated) }

// A stage is one S3 for all processes of a schedule.
type stage struct {
	f       *fake
	driver  *Store // for names
	opt     Options
	minPart int64
	chunk   int64
	tries   int  // of the client library
	slow    bool // completing takes its time, and meanwhile a second call is told that it is done: so does versitygw
}

func newStage(rng *rand.Rand) sim.Store {
	g := &stage{f: newFake(sim.PartSize), minPart: sim.PartSize, chunk: 64 << 20, tries: 1}
	g.opt = Options{PartSize: sim.PartSize, Parallel: 1 + rng.IntN(3), UniformParts: rng.IntN(4) == 0, Unconditional: rng.IntN(8) == 0}
	if rng.IntN(4) == 0 {
		g.chunk = sim.PartSize / 3 // parts are put together from tails
	}
	if rng.IntN(2) == 0 {
		g.tries = 3
	}
	g.slow = rng.IntN(2) == 0
	g.driver = g.newStore(g.f)
	return g
}

func (g *stage) newStore(client api) *Store {
	s := newStore(client, "b", g.opt)
	s.minPart, s.chunk = g.minPart, g.chunk
	return s
}

func (g *stage) Storage(p *sim.Process) tus.Storage { return g.newStore(&requests{g, p}) }
func (g *stage) Violations() []string               { return g.f.seen() }

func (g *stage) Object(u *tus.Upload) ([]byte, error) {
	key, err := g.driver.key(u)
	if err != nil {
		return nil, err
	}
	if o := g.f.objects[key]; o != nil {
		return o.data, nil
	}
	return nil, tus.ErrNotFound
}

// Pieces leaves out sessions that have neither a part nor a note: nobody knows of them but the store, and a lifecycle rule ends them.
func (g *stage) Pieces(id tus.ID) (names []string) {
	for _, n := range g.f.pieces(g.driver, tus.Upload{ID: id}) {
		if session, ok := strings.CutPrefix(n, "session "); ok && g.hidden(id, session[:strings.Index(session, " ")]) {
			continue
		}
		names = append(names, n)
	}
	return names
}

func (g *stage) hidden(id tus.ID, session string) bool {
	ses := g.f.sessions[session]
	_, noted := g.f.objects[g.driver.dir(life{id, ses.meta[metaBirth]})+noteName(session)]
	return !noted && len(ses.parts) == 0
}

// requests are those of one process.
type requests struct {
	*stage
	p *sim.Process
}

// request makes one, and again where its answer was lost and the client library tries again.
func request[T any](ctx context.Context, r *requests, verb string, key *string, number int32, do func() (T, error)) (T, error) {
	id, what := r.parse(*key)
	op := verb
	if strings.HasSuffix(verb, " ") {
		op += what
	}
	if number > 0 {
		op = fmt.Sprint(op, " ", number)
	}
	return sim.Request(ctx, r.p, r.tries, op, id, do)
}

// parse tells whose a key is, and what is there.
func (g *stage) parse(key string) (tus.ID, string) {
	l, name, ok := g.driver.parsePiece(key)
	_, note := sessionOf(name)
	switch {
	case !ok:
		return tus.ID(strings.TrimPrefix(key, "o/")), "object"
	case name == signName:
		return l.id, "sign"
	case note:
		return l.id, "note"
	case name == objectName:
		return l.id, "object"
	}
	return l.id, "tail"
}

// arrived reads a request's body. It does so in the caller's time: what it is made of takes steps of its own.
func arrived(r io.Reader) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	return io.ReadAll(r)
}

func (r *requests) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	return request(ctx, r, "create session", in.Key, 0, func() (*s3.CreateMultipartUploadOutput, error) {
		return r.f.CreateMultipartUpload(context.Background(), in)
	})
}

func (r *requests) UploadPart(ctx context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	b, err := arrived(in.Body)
	if err != nil {
		return nil, err
	}
	return request(ctx, r, "upload part", in.Key, *in.PartNumber, func() (*s3.UploadPartOutput, error) {
		c := *in
		c.Body = bytes.NewReader(b)
		return r.f.UploadPart(context.Background(), &c)
	})
}

func (r *requests) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput, _ ...func(*s3.Options)) (*s3.UploadPartCopyOutput, error) {
	return request(ctx, r, "copy part", in.Key, *in.PartNumber, func() (*s3.UploadPartCopyOutput, error) {
		return r.f.UploadPartCopy(context.Background(), in)
	})
}

// errCompleting is the store's own: the object will be there in a while.
var errCompleting = errors.New("completing")

func (r *requests) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	publish := func() (*s3.CompleteMultipartUploadOutput, error) {
		return r.f.CompleteMultipartUpload(context.Background(), in)
	}
	if !r.slow {
		return request(ctx, r, "complete", in.Key, 0, publish)
	}
	out, err := request(ctx, r, "complete", in.Key, 0, func() (*s3.CompleteMultipartUploadOutput, error) {
		ses, err := r.f.session(in.UploadId)
		switch {
		case err != nil:
			return nil, err
		case time.Now().Before(ses.completing):
			return affirm(in), nil
		}
		ses.completing = time.Now().Add(5 * time.Second)
		return nil, errCompleting
	})
	if !errors.Is(err, errCompleting) {
		return out, err
	}
	return request(ctx, r, "publish", in.Key, 0, publish)
}

func (r *requests) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	return request(ctx, r, "abort", in.Key, 0, func() (*s3.AbortMultipartUploadOutput, error) {
		return r.f.AbortMultipartUpload(context.Background(), in)
	})
}

func (r *requests) ListParts(ctx context.Context, in *s3.ListPartsInput, _ ...func(*s3.Options)) (*s3.ListPartsOutput, error) {
	return request(ctx, r, "list parts", in.Key, 0, func() (*s3.ListPartsOutput, error) { return r.f.ListParts(context.Background(), in) })
}

func (r *requests) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	b, err := arrived(in.Body)
	if err != nil {
		return nil, err
	}
	return request(ctx, r, "put ", in.Key, 0, func() (*s3.PutObjectOutput, error) {
		c := *in
		c.Body = bytes.NewReader(b)
		return r.f.PutObject(context.Background(), &c)
	})
}

func (r *requests) GetObject(ctx context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return request(ctx, r, "get ", in.Key, 0, func() (*s3.GetObjectOutput, error) { return r.f.GetObject(context.Background(), in) })
}

func (r *requests) HeadObject(ctx context.Context, in *s3.HeadObjectInput, _ ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return request(ctx, r, "head ", in.Key, 0, func() (*s3.HeadObjectOutput, error) { return r.f.HeadObject(context.Background(), in) })
}

func (r *requests) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, _ ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	return request(ctx, r, "delete ", in.Key, 0, func() (*s3.DeleteObjectOutput, error) { return r.f.DeleteObject(context.Background(), in) })
}

func (r *requests) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	key, _ := url.PathUnescape(aws.ToString(in.Prefix))
	return request(ctx, r, "list pieces", &key, 0, func() (*s3.ListObjectsV2Output, error) { return r.f.ListObjectsV2(context.Background(), in) })
}

func (r *requests) HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	return &s3.HeadBucketOutput{}, nil
}
