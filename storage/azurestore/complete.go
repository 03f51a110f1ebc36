package azurestore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/fileloft/fileloft/tus"
)

// Complete implements tus.Storage.
func (s *Store) Complete(ctx context.Context, lease tus.Lease) (tus.Stored, error) {
	u := &lease.Upload
	if err := s.complete(ctx, &lease); err != nil {
		return tus.Stored{}, wrap("complete", u.ID, err)
	}
	return tus.Stored{Size: u.Length}, nil
}

func (s *Store) complete(ctx context.Context, lease *tus.Lease) error {
	u := &lease.Upload
	c, err := parseCursor(u.Cursor)
	if err != nil {
		return err
	}
	if u.Phase != tus.Sealed || u.Offset != u.Length {
		return fmt.Errorf("the upload is %v at %d of %d bytes", u.Phase, u.Offset, u.Length)
	}
	key, err := s.key(u)
	if err != nil {
		return err
	}
	if n := c.size(); n != u.Length {
		return fmt.Errorf("%w: blocks of %d bytes instead of %d", tus.ErrCorrupt, n, u.Length)
	}
	made, strays, err := s.assemble(ctx, lease, &c)
	copying, err := s.place(ctx, u, key, made, err)
	if copying {
		return err // and keep what is copied
	}
	if err == nil {
		for i := range max(len(c.Stages), 1) {
			strays = append(strays, s.stageName(lifeOf(u), uint32(i)))
		}
	}
	for _, name := range strays {
		_ = s.remove(ctx, name, nil) // what it misses, Remove and Collect find
	}
	return err
}

// assemble makes one blob of all stages, under a name of the life's own. It returns the names of what it made besides the stages, with
// an error too.
func (s *Store) assemble(ctx context.Context, lease *tus.Lease, c *cursor) (made *object, strays []string, err error) {
	u := &lease.Upload
	switch {
	case len(c.Stages) == 0:
		return s.assembleEmpty(ctx, u)
	case len(c.Stages) == 1 && c.Stages[0].State != bound:
		made, err = s.commit(ctx, u, s.stageName(lifeOf(u), 0), c.Stages[0].ids(), s.sumOf(c), u.Length)
		return made, nil, err
	}
	var sources []*object
	for _, st := range c.Stages {
		var o *object
		name := s.stageName(lifeOf(u), st.N)
		if st.State == bound {
			o, err = s.head(ctx, name)
			if isMissing(err) {
				err = errors.Join(errLost, err)
			}
		} else {
			o, err = s.commit(ctx, u, name, st.ids(), nil, st.Size)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("stage %d: %w", st.N, err)
		}
		sources = append(sources, o)
	}
	made, err = s.join(ctx, lease, sources, s.sumOf(c))
	return made, nameOf(made), err
}

func nameOf(o *object) []string {
	if o == nil {
		return nil
	}
	return []string{o.name}
}

// assembleEmpty makes a blob without bytes: there are no blocks whose removal would stop a late call. So it looks for the sign of
// removal once the blob is there. Remove leaves the sign and then looks for blobs: one of the two sees the other. The blob has one name
// for all calls, so it is taken back for a sign alone: where nobody can tell, another call may be about to copy it.
func (s *Store) assembleEmpty(ctx context.Context, u *tus.Upload) (*object, []string, error) {
	name := s.stageName(lifeOf(u), 0)
	made, err := s.commit(ctx, u, name, nil, nil, 0)
	if err == nil {
		err = s.gone(ctx, u)
	}
	switch {
	case errors.Is(err, errGone):
		return nil, []string{name}, err
	case err != nil:
		return nil, nil, err
	}
	return made, nil, nil
}

// sumOf returns the MD5 of all bytes, or nil where it is not known.
func (s *Store) sumOf(c *cursor) []byte {
	h, err := unpackMD5(c.Sum)
	if s.opt.NoMD5 || len(c.Sum) == 0 || err != nil {
		return nil
	}
	return h.Sum(nil)
}

// gone looks for the sign that Remove leaves.
func (s *Store) gone(ctx context.Context, u *tus.Upload) error {
	_, err := s.head(ctx, s.dir(lifeOf(u))+signName)
	switch {
	case err == nil:
		return errGone
	case isMissing(err):
		return nil
	}
	return fmt.Errorf("look for a sign of removal: %w", err)
}

// publish copies a blob, as it is, to a key where there is none. Within an account that moves no bytes as a rule, and is done when the
// answer comes; where it is not, the object is there, and counts once the copy has come to its end.
func (s *Store) publish(ctx context.Context, key string, made *object) error {
	o := &blob.StartCopyFromURLOptions{
		AccessConditions:               ifNew(),
		SourceModifiedAccessConditions: &blob.SourceModifiedAccessConditions{SourceIfMatch: made.etag},
	}
	if tier := blob.AccessTier(s.opt.AccessTier); tier != "" {
		o.Tier = &tier
	}
	to := s.client.NewBlobClient(key)
	res, err := to.StartCopyFromURL(s.trying(ctx, 0), s.client.NewBlobClient(made.name).URL(), o)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	if st := value(res.CopyStatus); st != blob.CopyStatusTypeSuccess {
		return fmt.Errorf("%w: the copy is %s", errCopying, st)
	}
	return nil
}

// published returns the upload's own object, nil if there is none. ErrExists: it is another's. It waits for a copy that is under way, and
// takes away what one that failed has left.
func (s *Store) published(ctx context.Context, u *tus.Upload, key string) (*object, error) {
	for wait := s.look; ; wait = min(2*wait, 5*time.Second) {
		o, err := s.head(ctx, key)
		switch {
		case isMissing(err):
			return nil, nil
		case err != nil:
			return nil, err
		case !owns(u, o.meta):
			return nil, fmt.Errorf("key %q: %w", key, tus.ErrExists)
		}
		switch o.copied {
		case blob.CopyStatusTypePending:
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("%w: the copy is under way: %w", tus.ErrUnavailable, ctx.Err())
			case <-time.After(wait):
			}
			continue
		case blob.CopyStatusTypeFailed, blob.CopyStatusTypeAborted:
			if err := s.remove(ctx, key, o.etag); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%w: the copy has %s", tus.ErrUnavailable, o.copied)
		}
		if o.size != u.Length {
			return nil, fmt.Errorf("%w: the object has %d bytes of %d", tus.ErrCorrupt, o.size, u.Length)
		}
		return o, nil
	}
}

// place publishes what was assembled, where that went well, and finds out what has come of it. It reports, with an error, whether what was
// assembled may still be copied: nobody could look.
func (s *Store) place(ctx context.Context, u *tus.Upload, key string, made *object, failed error) (copying bool, err error) {
	if err = failed; err == nil {
		err = s.publish(ctx, key, made)
	}
	if err == nil {
		return false, nil
	}
	seen, err := s.settle(ctx, u, key, err)
	return failed == nil && !seen, err
}

// settle explains an error of a request that was to publish, or to prepare that: the object may be in place all the same. Where
// it is not, a block that is not there is lost: who else published it would have left it there. It reports whether the object
// could be looked for.
func (s *Store) settle(ctx context.Context, u *tus.Upload, key string, why error) (bool, error) {
	o, err := s.published(ctx, u, key)
	switch {
	case err != nil:
		// What why means is not known while the object cannot be looked for: only err's kind counts.
		return errors.Is(err, tus.ErrExists), fmt.Errorf("%w, after %s", err, why.Error())
	case o != nil:
		return true, nil
	case errors.Is(why, tus.ErrNotFound): // a part's
		return true, why
	case isNoBlock(why) || errors.Is(why, errLost):
		return true, fmt.Errorf("%w: %w", tus.ErrCorrupt, why)
	case isTaken(why) || isMissing(why) || errors.Is(why, errCopying): // taken, and free again meanwhile; or a source that was just removed
		return true, fmt.Errorf("%w: %w", tus.ErrUnavailable, why)
	}
	return true, why
}
