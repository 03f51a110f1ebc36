package gcsstore

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/storage"

	"github.com/fileloft/fileloft/tus"
)

// Complete implements tus.Storage.
func (s *Store) Complete(ctx context.Context, lease tus.Lease) (tus.Stored, error) {
	st, err := s.complete(ctx, &lease)
	return st, wrap("complete", lease.Upload.ID, err)
}

func (s *Store) complete(ctx context.Context, lease *tus.Lease) (none tus.Stored, err error) {
	u := &lease.Upload
	c, err := parseCursor(u.Cursor)
	if err != nil {
		return none, err
	}
	if u.Phase != tus.Sealed || u.Offset != u.Length {
		return none, fmt.Errorf("the upload is %v at %d of %d bytes", u.Phase, u.Offset, u.Length)
	}
	key, err := s.key(u)
	if err != nil {
		return none, err
	}
	if n := sizeOf(c.Pieces); n != u.Length {
		return none, fmt.Errorf("%w: pieces of %d bytes instead of %d", tus.ErrCorrupt, n, u.Length)
	}
	var st tus.Stored
	var made []string
	if u.Length == 0 {
		st, made, err = s.completeEmpty(ctx, lease, key)
	} else {
		st, made, err = s.join(ctx, lease, key, c.Pieces)
	}
	if err != nil {
		st, err = s.settle(ctx, u, key, &c, err)
	}
	if err == nil {
		made = append(made, c.Drop...)
		made = append(made, namesOf(c.Pieces)...)
	}
	s.removePieces(ctx, u, made) // what it misses, Remove and Collect find
	return st, err
}

// join publishes pieces. It returns the names of those that it made on the way, with an error too.
func (s *Store) join(ctx context.Context, lease *tus.Lease, key string, ps []piece) (st tus.Stored, made []string, err error) {
	ps, made, err = s.tree(ctx, lease, ps)
	if err != nil {
		return st, made, err
	}
	if s.opt.StorageClass == "" {
		o, err := s.publish(ctx, &lease.Upload, key, ps)
		if code(err) != 400 {
			return storedOf(o), made, err
		}
		// Perhaps it is the checksum. What the pieces make is looked at under another name, to know.
		p, wrong := s.checked(ctx, lease, ps)
		made = append(made, p.Name)
		if wrong == nil {
			wrong = err
		}
		return st, made, wrong
	}
	// A composed object has its sources' class: another takes a rewrite.
	p, err := s.checked(ctx, lease, ps)
	made = append(made, p.Name)
	if err != nil {
		return st, made, err
	}
	o, err := s.copied(ctx, &lease.Upload, key, p)
	return storedOf(o), made, err
}

// publish composes the object itself, if it is what the rolling checksum says.
func (s *Store) publish(ctx context.Context, u *tus.Upload, key string, ps []piece) (*storage.ObjectAttrs, error) {
	c, h := s.composer(u, key, ps), headersOf(u)
	c.ContentType, c.ContentDisposition, c.Metadata = h.contentType, h.disposition, h.meta
	var err error
	if c.CRC32C, c.SendCRC32C, err = sumOf(u); err != nil {
		return nil, err
	}
	o, err := c.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	return o, nil
}

// checked composes a piece of all, and compares its checksum.
func (s *Store) checked(ctx context.Context, lease *tus.Lease, ps []piece) (piece, error) {
	p, o, err := s.composed(ctx, lease, ps)
	if err != nil {
		return p, err
	}
	crc, known, err := sumOf(&lease.Upload)
	if err == nil && known && o.CRC32C != crc {
		err = fmt.Errorf("%w: the pieces' crc32c is %08x instead of %08x", tus.ErrCorrupt, o.CRC32C, crc)
	}
	return p, err
}

// copied publishes a piece as it is.
func (s *Store) copied(ctx context.Context, u *tus.Upload, key string, p piece) (*storage.ObjectAttrs, error) {
	c := s.fresh(key).CopierFrom(s.bucket.Object(s.pieceKey(u, p)).If(storage.Conditions{GenerationMatch: p.Gen}))
	h := headersOf(u)
	c.ContentType, c.ContentDisposition, c.Metadata, c.StorageClass = h.contentType, h.disposition, h.meta, s.opt.StorageClass
	o, err := c.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("rewrite: %w", err)
	}
	return o, nil
}

// completeEmpty publishes an upload without bytes: there are no pieces whose removal would stop a late call. So it makes one, looks
// for the sign of removal, and copies the piece. Remove leaves the sign and then looks for pieces: one of the two sees the other.
func (s *Store) completeEmpty(ctx context.Context, lease *tus.Lease, key string) (st tus.Stored, made []string, err error) {
	p, err := s.put(ctx, lease, nil)
	made = []string{p.Name}
	if err == nil {
		err = s.gone(ctx, &lease.Upload)
	}
	if err != nil {
		return st, made, err
	}
	o, err := s.copied(ctx, &lease.Upload, key, p)
	return storedOf(o), made, err
}

// sumOf returns the checksum of all bytes that the record carries. Other clients of the port may not keep one.
func sumOf(u *tus.Upload) (crc uint32, known bool, err error) {
	if len(u.Digest) == 0 {
		return 0, false, nil
	}
	sums, err := u.Sums()
	return sums.CRC32C, err == nil, err
}

func storedOf(o *storage.ObjectAttrs) tus.Stored {
	if o == nil {
		return tus.Stored{}
	}
	return tus.Stored{Size: o.Size, CRC32C: o.CRC32C, HasCRC32C: true}
}

// published returns the upload's own object, nil if there is none. ErrExists: it is another's.
func (s *Store) published(ctx context.Context, u *tus.Upload, key string) (*storage.ObjectAttrs, error) {
	o, err := s.bucket.Object(key).Attrs(ctx)
	switch {
	case isMissing(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look at the object: %w", err)
	case !owns(u, o):
		return nil, fmt.Errorf("key %q: %w", key, tus.ErrExists)
	case o.Size != u.Length:
		return nil, fmt.Errorf("%w: the object has %d bytes of %d", tus.ErrCorrupt, o.Size, u.Length)
	}
	return o, nil
}

func owns(u *tus.Upload, o *storage.ObjectAttrs) bool {
	return o.Metadata[metaBirth] == u.Birth && o.Metadata[metaID] == string(u.ID)
}

// settle explains an error of a request that was to publish, or to prepare that: the object may be in place all the same. Where
// it is not, a piece may be lost.
func (s *Store) settle(ctx context.Context, u *tus.Upload, key string, c *cursor, why error) (tus.Stored, error) {
	o, err := s.published(ctx, u, key)
	if o == nil && err == nil && (isMissing(why) || isTaken(why)) {
		why = s.explain(ctx, u, c, why)
		if errors.Is(why, tus.ErrCorrupt) { // unless it was published just now, and the pieces taken away
			o, err = s.published(ctx, u, key)
		}
	}
	switch {
	case err != nil:
		// What why means is not known while the object cannot be looked for: only err's kind counts.
		return tus.Stored{}, fmt.Errorf("%w, after %s", err, why.Error())
	case o != nil:
		return storedOf(o), nil
	}
	return tus.Stored{}, why
}

// explain says why an object was missing, or a condition did not hold: one of the committed pieces is lost, or something that
// another try will not find. The pieces are listed, because a list, unlike a look, fails where it is the bucket that is missing.
func (s *Store) explain(ctx context.Context, u *tus.Upload, c *cursor, why error) error {
	there := map[string]int64{}
	err := s.list(ctx, s.dir(lifeOf(u)), func(o *storage.ObjectAttrs) error {
		_, name, _ := s.parsePiece(o.Name)
		there[name] = o.Generation
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w, after %s", err, why.Error())
	}
	for _, p := range c.Pieces {
		if there[p.Name] != p.Gen {
			return fmt.Errorf("%w: piece %s is gone: %w", tus.ErrCorrupt, p.Name, why)
		}
	}
	return fmt.Errorf("%w: %w", tus.ErrUnavailable, why)
}
