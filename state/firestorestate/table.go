package firestorestate

import (
	"context"
	"errors"
	"strconv"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// table is a [state.Swapper] over the documents of a collection. A version is a document's update time, which Firestore
// sets itself and which grows with each write that changes anything; every write of ours changes the nonce.
type table struct {
	docs     *firestore.CollectionRef
	patience patience
	versions state.Versions
}

var (
	_ state.Swapper   = (*table)(nil)
	_ state.Versioner = (*table)(nil)
)

// Get reads a document; see [state.Swapper]. Firestore's reads are strongly consistent.
func (t *table) Get(ctx context.Context, id tus.ID) (state.Record, string, error) {
	if id.Validate() != nil {
		return state.Record{}, "", tus.ErrNotFound // no such document can be asked for
	}
	data, updated, err := t.read(ctx, documentID(id))
	if errors.Is(err, tus.ErrNotFound) {
		return state.Record{}, "", err
	}
	var r state.Record
	if err == nil {
		r, err = decode(id, data)
	}
	if err != nil {
		return state.Record{}, "", explain(ctx, "read upload "+string(id), err)
	}
	return r, versionAt(updated), nil
}

// read returns a document's fields and update time.
// Errors: tus.ErrNotFound.
func (t *table) read(ctx context.Context, name string) (data map[string]any, updated time.Time, err error) {
	err = t.patience.call(ctx, func(ctx context.Context) error {
		snap, err := t.docs.Doc(name).Get(ctx)
		if snap != nil && !snap.Exists() { // a database that is missing is "not found" too, and brings no snapshot
			return tus.ErrNotFound
		}
		if err != nil {
			return err
		}
		data, updated = snap.Data(), snap.UpdateTime
		return nil
	})
	return data, updated, err
}

// Insert creates a document; see [state.Swapper].
func (t *table) Insert(ctx context.Context, r state.Record) error {
	return t.write(ctx, "create", r, func(ctx context.Context, doc *firestore.DocumentRef) (*firestore.WriteResult, error) {
		return doc.Create(ctx, document(r))
	})
}

// Swap replaces a document's fields; see [state.Swapper]. Fields of a newer program stay.
func (t *table) Swap(ctx context.Context, r state.Record, version string) error {
	at, ok := timeOf(version)
	if !ok {
		return state.ErrConflict // this process does not know the version: see VersionOf
	}
	return t.write(ctx, "write", r, func(ctx context.Context, doc *firestore.DocumentRef) (*firestore.WriteResult, error) {
		return doc.Update(ctx, updates(r), firestore.LastUpdateTime(at))
	})
}

// write makes a conditional write and remembers the version that it made, while a lease may need it.
func (t *table) write(
	ctx context.Context, verb string, r state.Record,
	send func(context.Context, *firestore.DocumentRef) (*firestore.WriteResult, error),
) error {
	var res *firestore.WriteResult
	doc := t.docs.Doc(documentID(r.Upload.ID))
	err := t.patience.call(ctx, func(ctx context.Context) (err error) {
		res, err = send(ctx, doc)
		return unmet(err)
	})
	if err != nil {
		return explain(ctx, verb+" upload "+string(r.Upload.ID), err)
	}
	t.versions.Wrote(r, versionAt(res.UpdateTime))
	return nil
}

// Delete deletes a document; see [state.Swapper].
func (t *table) Delete(ctx context.Context, id tus.ID, version string) error {
	at, ok := timeOf(version)
	if !ok {
		return state.ErrConflict
	}
	err := t.patience.call(ctx, func(ctx context.Context) error {
		_, err := t.docs.Doc(documentID(id)).Delete(ctx, firestore.LastUpdateTime(at))
		return unmet(err)
	})
	if err == nil {
		t.versions.Deleted(id)
	}
	return explain(ctx, "delete upload "+string(id), err)
}

// VersionOf returns the version that this process saw the write get which left r; see [state.Versioner]. Where it saw none,
// because another process wrote it, because the answer was lost, or because it has forgotten, it returns a version that no
// document has. Swap and Delete say that at once, without a call, and the Store reads.
func (t *table) VersionOf(r state.Record) string { return t.versions.Of(r) }

// unmet translates the answer to a write whose precondition did not hold. Such an answer may also be the echo of the first
// sending of this very write: the Store reads and finds its nonce.
func unmet(err error) error {
	switch status.Code(err) {
	case codes.AlreadyExists:
		return tus.ErrExists
	case codes.FailedPrecondition, codes.NotFound: // other reasons for these show in the read that comes next
		return state.ErrConflict
	}
	return err
}

func versionAt(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) } // Firestore counts in microseconds

func timeOf(version string) (time.Time, bool) {
	us, err := strconv.ParseInt(version, 10, 64)
	return time.UnixMicro(us), err == nil
}
