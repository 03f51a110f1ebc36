package firestorestate

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// Size returns the size of a document's fields by Firestore's rules: a name and a string take their bytes and one, bytes
// take their own, numbers and timestamps eight.
// https://firebase.google.com/docs/firestore/storage-size
func Size(fields map[string]any) int {
	n := 0
	for name, v := range fields {
		n += len(name) + 1 + sizeOf(v)
	}
	return n
}

func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 1
	case []byte:
		return len(v)
	case int64, time.Time:
		return 8
	case map[string]any:
		return Size(v)
	case []any:
		n := 0
		for _, e := range v {
			n += sizeOf(e)
		}
		return n
	}
	panic("a type that no field has")
}

// Ordinary returns an upload as they come from a browser, in the middle.
func Ordinary() tus.Upload {
	now := time.UnixMilli(1_800_000_123_456).UTC()
	return tus.Upload{
		ID: tus.NewID(), Birth: tus.NewNonce()[:12], Length: 50_123_456_789, Offset: 12_345_678_901, Metadata: strings.Repeat("m", 160),
		Created: now, Expires: now.Add(6 * 24 * time.Hour), Cursor: make(tus.Cursor, 300), NextSlot: 2951,
		Digest: make([]byte, 120), Pending: tus.Created,
	}
}

func TestAnOrdinaryDocumentIsSmall(t *testing.T) {
	u := Ordinary()
	r, _, err := state.New(u, tus.Claim{TTL: 6 * time.Second, Slots: 40, Nonce: tus.NewNonce()}, u.Created)
	if err != nil {
		t.Fatal(err)
	}
	n := Size(document(r))
	own := n - len(u.Metadata) - len(u.Cursor) - len(u.Digest)
	t.Logf("%d bytes of fields, %d of them this package's own", n, own)
	if own > 512 {
		t.Errorf("the package's own fields have %d bytes", own)
	}
}

// random returns a record with any values that the rules allow.
func random(rng *rand.Rand) state.Record {
	const letters = "ab \x00\x7f\xc3\xbc\xff\"\\<&"
	text := func() string {
		b := make([]byte, rng.IntN(20))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return string(b)
	}
	when := func() time.Time {
		if rng.IntN(3) == 0 {
			return time.Time{}
		}
		return time.UnixMilli(rng.Int64N(1<<50) - 1<<48).UTC() // from 6900 BC to the year 28,000
	}
	raw := func() []byte {
		if b := []byte(text()); len(b) > 0 {
			return b
		}
		return nil
	}
	r := state.Record{
		Upload: tus.Upload{
			ID: tus.NewID(), Birth: text(), Key: text(), Length: rng.Int64() - 1, Offset: rng.Int64(), Phase: tus.Phase(rng.IntN(4)),
			Metadata: text(), Concat: tus.Concat{Role: tus.Role(rng.IntN(4)), Header: text()}, Created: when(), Expires: when(),
			Cursor: raw(), NextSlot: rng.Uint32(), Digest: raw(), Pending: tus.Events(rng.IntN(256)),
		},
		Epoch: tus.Epoch(rng.Uint64()), Nonce: text(), LeaseUntil: when(), Due: when(),
	}
	for range rng.IntN(3) {
		r.Upload.Concat.Parts = append(r.Upload.Concat.Parts, tus.ID(text()))
	}
	return r
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		r := random(rng)
		doc := document(r)
		doc["later"] = true // of a newer program
		doc[fieldRecord].(map[string]any)["later"] = true
		got, err := decode(r.Upload.ID, doc)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Fatal(diff)
		}
		for name := range encode(r) {
			if !slices.Contains(recordFields, name) {
				t.Fatalf("%q is not among the fields that an update sets or removes", name)
			}
		}
		for name := range indexed(r) {
			if !slices.Contains(topFields, name) {
				t.Fatalf("%q is not among the fields that an update sets or removes", name)
			}
		}
		for name, v := range document(r) {
			if at, ok := v.(time.Time); ok && !holds(at) {
				t.Fatalf("%s is %s, which Firestore cannot hold", name, at)
			}
		}
	}
}

func TestDecodeRefusesWhatItCannotRead(t *testing.T) {
	for what, c := range map[string]struct {
		change func(m map[string]any)
		want   string
	}{
		"a newer format":        {func(m map[string]any) { m[fieldFormat] = int64(2) }, "run a newer one"},
		"no format":             {func(m map[string]any) { delete(m, fieldFormat) }, "no record of an upload"},
		"nothing":               {func(m map[string]any) { clear(m) }, "no record of an upload"},
		"a text for a number":   {func(m map[string]any) { m[fieldOffset] = "7" }, "record.offset of the document is not an integer"},
		"a number too large":    {func(m map[string]any) { m[fieldNextSlot] = int64(math.MaxUint32 + 1) }, "nextSlot"},
		"a number too small":    {func(m map[string]any) { m[fieldPending] = int64(-1) }, "pending"},
		"an unknown phase":      {func(m map[string]any) { m[fieldPhase] = "asleep" }, "phase"},
		"a fraction":            {func(m map[string]any) { m[fieldLength] = 1.5 }, "length"},
		"a number for a text":   {func(m map[string]any) { m[fieldMetadata] = int64(7) }, "metadata"},
		"a text for bytes":      {func(m map[string]any) { m[fieldCursor] = "7" }, "cursor"},
		"a text for a list":     {func(m map[string]any) { m[fieldParts] = "7" }, "concatParts"},
		"a number in a list":    {func(m map[string]any) { m[fieldParts] = []any{int64(7)} }, "concatParts"},
		"a text for a time":     {func(m map[string]any) { m[fieldDue] = "tomorrow" }, "due"},
		"no epoch, but a nonce": {func(m map[string]any) { m[fieldEpoch] = nil; m[fieldNonce] = true }, "nonce"},
	} {
		doc := document(state.Record{Upload: Ordinary(), Epoch: 1, Nonce: "n"})
		c.change(doc[fieldRecord].(map[string]any))
		if _, err := decode("a", doc); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", what, err, c.want)
		}
	}
	if _, err := decode("a", map[string]any{fieldRecord: "a text"}); err == nil {
		t.Error("a record that is no map was read")
	}
}

func TestOnlyUnfinishedUploadsAreLeftToTheTTL(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	u := tus.Upload{Expires: now.Add(time.Hour)}
	for what, c := range map[string]struct {
		change func(r *state.Record)
		want   time.Time
	}{
		"open":          {func(*state.Record) {}, u.Expires.Add(keepAfterExpiry)},
		"leased":        {func(r *state.Record) { r.LeaseUntil = now.Add(2 * time.Hour) }, now.Add(2*time.Hour + keepAfterExpiry)},
		"sealed":        {func(r *state.Record) { r.Upload.Phase = tus.Sealed }, time.Time{}},
		"done":          {func(r *state.Record) { r.Upload.Phase = tus.Done }, time.Time{}},
		"doomed":        {func(r *state.Record) { r.Upload.Phase = tus.Doomed }, time.Time{}},
		"events owed":   {func(r *state.Record) { r.Upload.Pending = tus.Created }, time.Time{}},
		"never expires": {func(r *state.Record) { r.Upload.Expires = time.Time{} }, time.Time{}},
	} {
		r := state.Record{Upload: u}
		c.change(&r)
		v, ok := document(r)[fieldExpire].(time.Time)
		if ok == c.want.IsZero() || !v.Equal(c.want) {
			t.Errorf("%s: %v, want %v", what, v, c.want)
		}
	}
}

func TestABucketIsNeverLaterThanWhatIsInIt(t *testing.T) {
	for _, s := range []int64{-601, -600, -1, 0, 1, 599, 600, 601, 1_800_000_123} {
		b := bucket(time.Unix(s, 999)).Unix()
		if b > s || b <= s-600 || b%600 != 0 {
			t.Errorf("%d is in the bucket %d", s, b)
		}
	}
}

func TestTheShardsAreUsedAlike(t *testing.T) {
	const n = 16_000
	count := map[any]int{}
	for range n {
		count[indexed(state.Record{Upload: tus.Upload{ID: tus.NewID()}, Due: time.Unix(1, 0)})[fieldShard]]++
	}
	if len(count) != shards || slices.Max(slices.Collect(maps.Values(count))) > n/shards*5/4 {
		t.Errorf("%v", count)
	}
}
