package tablestate

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/state"
	"github.com/fileloft/fileloft/tus"
)

// record returns one with metadata of n bytes.
func record(n int, of string) state.Record {
	now := time.UnixMilli(1_800_000_123_456).UTC()
	return state.Record{
		Upload: tus.Upload{
			ID: tus.NewID(), Birth: tus.NewNonce()[:12], Length: 50_123_456_789, Offset: 12_345_678_901, Metadata: strings.Repeat(of, n),
			Created: now, Expires: now.Add(6 * 24 * time.Hour), Cursor: make(tus.Cursor, 300), NextSlot: 2951,
			Digest: make([]byte, 120), Pending: tus.Created,
		},
		Epoch: 7, Nonce: tus.NewNonce(), LeaseUntil: now, Due: now.Add(time.Hour),
	}
}

// size returns the size of an entity by Azure's rules: a text takes two bytes a character.
// https://learn.microsoft.com/en-us/archive/blogs/avkashchauhan/how-the-size-of-an-entity-is-caclulated-in-windows-azure-table-storage
func size(t *testing.T, e map[string]any) int {
	n := 4
	for name, v := range e {
		if strings.HasSuffix(name, "@odata.type") {
			continue
		}
		s := v.(string)
		switch {
		case name == "PartitionKey" || name == "RowKey":
			n += 2 * len(s)
		case e[name+"@odata.type"] == "Edm.Binary":
			n += 8 + 2*len(name) + 4 + len(s)*3/4
			if len(s)*3/4 > 64<<10 {
				t.Errorf("the property %s has %d bytes", name, len(s)*3/4)
			}
		default:
			n += 8 + 2*len(name) + 4 + 2*len(s)
			if len(s) > 32<<10 {
				t.Errorf("the property %s has %d characters", name, len(s))
			}
		}
	}
	return n
}

func properties(t *testing.T, r state.Record) map[string]any {
	t.Helper()
	b, err := encode(r, bucketOf(r.Due))
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRecordsComeBackWhateverTheirSize(t *testing.T) {
	for _, tt := range []struct {
		name   string
		r      state.Record
		pieces int
	}{
		{"an ordinary one", record(160, "m"), 0},
		{"the longest text", record(28_000, "m"), 0},
		{"too long for a text", record(31_000, "m"), 1},
		{"what is no plain text", record(10, "ü"), 1},
		{"two pieces", record(100_000, "m"), 2},
		{"the largest that settings allow", record(940<<10, "m"), 16},
	} {
		e := properties(t, tt.r)
		e["later"] = true // of a newer program
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		delete(e, "later")
		got, bucket, err := decode(tt.r.Upload.ID, b)
		if diff := cmp.Diff(tt.r, got); err != nil || diff != "" || bucket != bucketOf(tt.r.Due) {
			t.Errorf("%s: %v, bucket %q, %s", tt.name, err, bucket, diff)
		}
		pieces := 0
		for e[piece(pieces)] != nil {
			pieces++
		}
		n := size(t, e)
		if _, text := e[propRecord]; pieces != tt.pieces || text != (pieces == 0) || n > 1<<20 {
			t.Errorf("%s: %d bytes in %d pieces, text %t", tt.name, n, pieces, text)
		}
		t.Logf("%s: %d bytes of an entity", tt.name, n)
	}
	r := record(990<<10, "m")
	if _, err := encode(r, ""); err == nil || !strings.Contains(err.Error(), "lower the limits") {
		t.Errorf("too large a record: %v", err)
	}
	if _, err := encode(state.Record{}, ""); err == nil {
		t.Error("no record was encoded")
	}
}

func TestDecodeRefusesWhatItCannotRead(t *testing.T) {
	for what, c := range map[string]struct {
		change func(e map[string]any)
		want   string
	}{
		"a newer format": {func(e map[string]any) { e[propRecord] = `{"v":2,"i":"a"}` }, "run a newer one"},
		"no format":      {func(e map[string]any) { e[propRecord] = `{"i":"a"}` }, "no format number"},
		"nothing":        {func(e map[string]any) { clear(e) }, "no record of an upload"},
		"a number":       {func(e map[string]any) { e[propRecord] = 7 }, "no record of an upload"},
		"no JSON":        {func(e map[string]any) { e[propRecord] = "{" }, "decode record"},
		"no binary":      {func(e map[string]any) { delete(e, propRecord); e[piece(0)] = "%" }, "is not binary"},
		"another's":      {func(e map[string]any) { e[propRecord] = `{"v":1,"i":"b","g":1,"n":"n"}` }, "another upload"},
	} {
		e := properties(t, record(1, "m"))
		c.change(e)
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := decode("a", b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", what, err, c.want)
		}
	}
	if _, _, err := decode("a", []byte("<")); err == nil {
		t.Error("no JSON was read")
	}
	if _, err := rowKey([]byte("<")); err == nil {
		t.Error("no JSON was read")
	}
}

// A bucket is never later than what is in it, by less than ten minutes earlier, and texts are in the order of time.
func TestBuckets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	times := []time.Time{time.Unix(0, 0), time.Unix(599, 999), time.Unix(600, 0), lastBucket, lastBucket.Add(599 * time.Second)}
	for range 2000 {
		times = append(times, time.UnixMilli(rng.Int64N(lastBucket.UnixMilli())))
	}
	slices.SortFunc(times, time.Time.Compare)
	last := ""
	for _, at := range times {
		b := bucketOf(at)
		begin, err := time.Parse(bucketForm, b)
		if err != nil || begin.After(at) || at.Sub(begin) >= bucketSize || b < last {
			t.Errorf("%s is in the bucket %q, behind %q: %v", at, b, last, err)
		}
		last = b
	}
	if bucketOf(time.Time{}) != "" {
		t.Error("never has a bucket")
	}
	if b := bucketOf(time.Date(-7000, 1, 1, 0, 0, 0, 0, time.UTC)); b != "19700101T0000" {
		t.Errorf("the bucket of long ago is %q", b)
	}
	if b := bucketOf(time.UnixMilli(1 << 60)); b != "99991231T2350" {
		t.Errorf("the bucket of the far future is %q", b)
	}
}

// Azure forbids / \ # ? and control characters in keys, and more than 1 KiB.
func TestKeysAreWhatAzureTakes(t *testing.T) {
	count := map[string]int{}
	const n = 32_000
	for range n {
		id := tus.NewID()
		count[partitionOf(id)]++
	}
	if len(count) != partitions || slices.Max(slices.Collect(maps.Values(count))) > n/partitions*5/4 {
		t.Errorf("the partitions are not used alike: %v", count)
	}
	long := tus.ID(strings.Repeat("x", 128))
	for _, key := range []string{partitionOf(long), rowOf(long), entryOf(long, bucketOf(time.Now()))} {
		if len(key) > 512 || strings.ContainsFunc(key, func(c rune) bool {
			return c < ' ' || c > '~' || strings.ContainsRune(`/\#?%+'`, c)
		}) {
			t.Errorf("the key %q", key)
		}
	}
	if partitionOf("a") != "p03" {
		t.Errorf("a is in %s: what is stored would not be found any more", partitionOf("a"))
	}
}
