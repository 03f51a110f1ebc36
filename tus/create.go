package tus

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// A creation is what a request wants to be made.
type creation struct {
	length   int64 // or Unknown
	metadata string
	concat   Concat
	header   http.Header
	body     *body // nil: none
}

// create makes an upload, takes in what bytes the request brings, and returns the record. Once the record exists, an
// error no longer hides it: the client learns the offset that is true and can resume. Only a body that was
// refused as a whole takes its upload with it.
func (h *Handler) create(ctx context.Context, c creation) (Upload, error) {
	u, parts, err := h.draft(ctx, &c)
	if err != nil {
		return Upload{}, err
	}
	claim := Claim{Nonce: NewNonce()}
	hasBody := c.body != nil && u.Phase == Open
	if hasBody || u.Phase == Sealed || u.Pending != 0 {
		claim.TTL = h.opt.LeaseTTL
	}
	var mine *turn
	if hasBody {
		claim.Slots = h.slotsFor(c.body)
		var leave func()
		if mine, leave, err = h.busy.enter(ctx, u.ID, h.opt.LockTimeout); err != nil {
			return Upload{}, err
		}
		defer leave()
	}
	l, err := step(ctx, func(ctx context.Context) (Lease, error) { return h.state.Create(ctx, u, claim) })
	if err != nil {
		return Upload{}, err
	}
	l.Upload.Pending = h.deliver(ctx, l.Upload, l.Upload.Pending)
	switch {
	case u.Phase == Sealed:
		return h.born(ctx, l.Upload)(h.finish(ctx, l))
	case hasBody:
		got, err := h.store(mine, l, c.body)
		if wholly(err) {
			h.discard(ctx, got)
			return Upload{}, err
		}
		return h.born(ctx, l.Upload)(got, err)
	case u.Concat.Role == Final:
		return h.awaitParts(ctx, l, parts)
	case claim.TTL != 0:
		return h.born(ctx, l.Upload)(h.settle(ctx, l))
	}
	return l.Upload, nil
}

// born returns a function that turns an error after the creation into a line in the log, unless it says that the upload
// does not exist any more.
func (h *Handler) born(ctx context.Context, made Upload) func(Upload, error) (Upload, error) {
	return func(u Upload, err error) (Upload, error) {
		if err == nil {
			return u, nil
		}
		if errors.As(err, new(*doomed)) || errors.As(err, new(*Rejection)) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotFound) {
			return Upload{}, err
		}
		if f, ok := errors.AsType[*fault](err); ok && f.code == codeNotFound {
			return Upload{}, err
		}
		h.opt.Log.WarnContext(ctx, "tus: created, but then", "upload", made.ID, "error", err)
		if u.ID == "" {
			u = made
		}
		return u, nil
	}
}

// wholly reports whether a body was refused as a whole: its upload was then made for nothing.
func wholly(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && (f.code == codeMismatch || f.code == codeTooLarge || f.code == codeChunk || f.code == codeBadChecksum)
}

// discard removes an upload that was made in vain.
func (h *Handler) discard(ctx context.Context, u Upload) {
	l, err := h.acquire(ctx, u.ID, AnyOffset, 0, true)
	if err == nil {
		err = h.bury(ctx, l)
	}
	if err != nil {
		h.opt.Log.WarnContext(ctx, "tus: an upload made in vain is left to expire", "upload", u.ID, "error", err)
	}
}

// draft checks everything that can be checked before anything is made, asks the hooks, and returns the record to
// create; for a final upload its parts too.
func (h *Handler) draft(ctx context.Context, c *creation) (Upload, []Upload, error) {
	if len(c.metadata) > h.opt.MaxMetadata {
		return Upload{}, nil, refuse(codeBadMetadata, "Upload-Metadata is larger than this server takes")
	}
	if _, err := ParseMetadata(c.metadata); err != nil {
		return Upload{}, nil, refuse(codeBadMetadata, err.Error())
	}
	if h.opt.MaxSize > 0 && c.length > h.opt.MaxSize {
		return Upload{}, nil, h.tooLarge()
	}
	now := h.opt.Now()
	u := Upload{
		ID: NewID(), Birth: newBirth(), Length: c.length, Metadata: c.metadata, Concat: c.concat,
		Created: now, NextSlot: 1, Digest: newDigest(h.opt.SHA256 && c.concat.Role != Final).state(),
	}
	if b := c.body; b != nil {
		if room := h.room(&u); room != Unknown && b.size > room {
			return Upload{}, nil, h.overlong(&u)
		}
	}
	if err := h.access(ctx, ActionCreate, "", c.header, nil); err != nil {
		return Upload{}, nil, err
	}
	parts, err := h.draftFinal(ctx, c, &u)
	if err != nil {
		return Upload{}, nil, err
	}
	if err := h.preCreate(ctx, c, &u); err != nil {
		return Upload{}, nil, err
	}
	if h.wants(Created) {
		u.Pending = Created
	}
	if u.Length == 0 && u.Concat.Role != Final {
		u.Phase = Sealed
	}
	return h.touch(u), parts, nil
}

// preCreate asks the hook, and holds what it chose against the rules.
func (h *Handler) preCreate(ctx context.Context, c *creation, u *Upload) error {
	hook := h.opt.Hooks.PreCreate
	if hook == nil {
		return nil
	}
	n := Creation{ID: u.ID, Metadata: u.Metadata, Length: u.Length, Concat: u.Concat, Header: c.header}
	if err := hook(ctx, &n); err != nil {
		return err
	}
	if err := n.ID.Validate(); err != nil {
		return err
	}
	if err := validKey(n.Key); err != nil {
		return err
	}
	if _, err := ParseMetadata(n.Metadata); err != nil {
		return err
	}
	u.ID, u.Key, u.Metadata = n.ID, n.Key, n.Metadata
	return nil
}

// validKey checks a key that a hook chose; every storage can keep such a key, and none can be led astray by it.
func validKey(key string) error {
	if key == "" {
		return nil
	}
	if len(key) > 900 || strings.ContainsAny(key, "\\\x00\r\n") {
		return errors.New("tus: a key has at most 900 bytes, and no backslash or control characters")
	}
	for seg := range strings.SplitSeq(key, "/") {
		if seg == "" || seg[0] == '.' {
			return errors.New("tus: no segment of a key is empty or begins with a dot")
		}
	}
	return nil
}

// access asks the hook, where there is one. u is the record where it is known already.
func (h *Handler) access(ctx context.Context, a Action, id ID, header http.Header, u *Upload) error {
	hook := h.opt.Hooks.Access
	if hook == nil {
		return nil
	}
	return hook(ctx, &Access{Action: a, ID: id, Header: header, load: func(ctx context.Context) (Upload, error) {
		if u != nil {
			return *u, nil
		}
		return h.load(ctx, id)
	}})
}
