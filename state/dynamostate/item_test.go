package dynamostate

import (
	"encoding/base64"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// Size returns the size of an item, by DynamoDB's rules: names count, as UTF-8; strings and binary by their bytes; a number
// takes a byte for two significant digits, and one; a list takes three, and one for each element.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func Size(it map[string]types.AttributeValue) int {
	n := 0
	for name, v := range it {
		n += len(name) + sizeOf(v)
	}
	return n
}

func sizeOf(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		digits := strings.TrimLeft(strings.TrimPrefix(v.Value, "-"), "0")
		size := (len(strings.TrimRight(digits, "0"))+1)/2 + 1
		if strings.HasPrefix(v.Value, "-") {
			size++
		}
		return size
	case *types.AttributeValueMemberL:
		n := 3
		for _, e := range v.Value {
			n += 1 + sizeOf(e)
		}
		return n
	}
	panic("a type that no attribute has")
}

// Ordinary returns an upload as they come from a browser, in the middle: the cursor of an S3 upload has an upload id, which
// is long, a list of runs and two tails.
func Ordinary() tus.Upload {
	now := time.UnixMilli(1_800_000_123_456).UTC()
	metadata := ""
	for _, kv := range [][2]string{
		{"filename", "Quarterly report, final version (3) - München.pdf"},
		{"filetype", "application/pdf"},
		{"relativePath", "null"},
		{"userId", "0b5f2a9e-6a1f-4f0e-9a50-7d9d3f6b1c2a"},
	} {
		metadata += "," + kv[0] + " " + base64.StdEncoding.EncodeToString([]byte(kv[1]))
	}
	return tus.Upload{
		ID: tus.NewID(), Birth: tus.NewNonce()[:12], Length: 50_123_456_789, Offset: 12_345_678_901, Metadata: metadata[1:],
		Created: now, Expires: now.Add(6 * 24 * time.Hour), Cursor: make(tus.Cursor, 300), NextSlot: 2951,
		Digest: make([]byte, 120), Pending: tus.Created,
	}
}

func TestAnOrdinaryRecordIsOneWriteUnit(t *testing.T) {
	u := Ordinary()
	r, _, err := state.New(u, tus.Claim{TTL: 6 * time.Second, Slots: 40, Nonce: tus.NewNonce()}, u.Created)
	if err != nil {
		t.Fatal(err)
	}
	n := Size(encode(r))
	t.Logf("%d bytes; of these are ID %d, metadata %d, cursor %d, digest %d",
		n, len(u.ID), len(u.Metadata), len(u.Cursor), len(u.Digest))
	own := n - len(u.Metadata) - len(u.Cursor) - len(u.Digest)
	if n > 1024 || own > 200 {
		t.Errorf("an ordinary record has %d bytes, %d of them this package's: 1024 are one write unit, and 200 are enough", n, own)
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
		return time.UnixMilli(rng.Int64N(1<<50) - 1<<48).UTC()
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
		it := encode(r)
		it["later"] = &types.AttributeValueMemberBOOL{Value: true} // of a newer program
		got, err := decode(it)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Fatal(diff)
		}
		for name := range encode(r) {
			if name != attrID && !strings.Contains(strings.Join(attributes, ""), name) {
				t.Fatalf("%q is not among the attributes that a Commit sets or removes", name)
			}
		}
	}
}

func TestDecodeRefusesWhatItCannotRead(t *testing.T) {
	for what, c := range map[string]struct {
		change func(it item)
		want   string
	}{
		"a newer format":      {func(it item) { it[attrFormat] = number(2) }, "run a newer one"},
		"no format":           {func(it item) { delete(it, attrFormat) }, "no record of an upload"},
		"a text for a number": {func(it item) { it[attrOffset] = text("7") }, `"o" of the item is not a number`},
		"a number too large":  {func(it item) { it[attrNextSlot] = number(math.MaxUint32 + 1) }, `"s"`},
		"an unknown phase":    {func(it item) { it[attrPhase] = number(4) }, `"p"`},
		"a fraction":          {func(it item) { it[attrLength] = &types.AttributeValueMemberN{Value: "1.5"} }, `"l"`},
		"a number for a text": {func(it item) { it[attrMetadata] = number(7) }, `"m"`},
		"a text for binary":   {func(it item) { it[attrCursor] = text("7") }, `"u"`},
		"a text for a list":   {func(it item) { it[attrParts] = text("7") }, `"q"`},
	} {
		it := encode(state.Record{Upload: Ordinary(), Epoch: 1, Nonce: "n"})
		c.change(it)
		if _, err := decode(it); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", what, err, c.want)
		}
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
		v, ok := encode(r)[attrTTL]
		if ok == c.want.IsZero() || ok && v.(*types.AttributeValueMemberN).Value != number(c.want.Unix()).(*types.AttributeValueMemberN).Value {
			t.Errorf("%s: %v, want %v", what, v, c.want)
		}
	}
}

func TestABucketIsNeverLaterThanWhatIsInIt(t *testing.T) {
	for _, s := range []int64{-601, -600, -1, 0, 1, 599, 600, 601, 1_800_000_123} {
		b := bucket(time.Unix(s, 999))
		if b > s || b <= s-600 || b%600 != 0 {
			t.Errorf("%d is in the bucket %d", s, b)
		}
	}
}
