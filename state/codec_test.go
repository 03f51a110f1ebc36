package state

import (
	"bytes"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fileloft/fileloft/tus"
)

// full has something in every field.
var full = Record{
	Upload: tus.Upload{
		ID: "id_-9", Birth: "birth", Key: "dir/né.bin", Length: 1 << 40, Offset: 1 << 39, Phase: tus.Sealed,
		Metadata: "filename d29ybGQ=,is_confidential & <ok>",
		Concat:   tus.Concat{Role: tus.Final, Parts: []tus.ID{"p1", "p2", "p1"}, Header: "final;/files/p1 /files/p2"},
		Created:  time.UnixMilli(1_800_000_000_001).UTC(), Expires: time.UnixMilli(1_800_086_400_002).UTC(),
		Cursor: tus.Cursor{0, 1, 0xff}, NextSlot: 4_294_967_295, Digest: []byte{1, 2, 3, 4, 5}, Pending: tus.Created | tus.Finished,
	},
	Epoch: 1<<64 - 1, Nonce: "nonce", LeaseUntil: time.UnixMilli(1_800_000_006_003).UTC(), Due: time.UnixMilli(1_800_000_060_004).UTC(),
}

// The strings pin the format: a change that breaks this test needs a new Format, and code that still reads these.
var golden = map[string]struct {
	r    Record
	text string
}{
	"every field": {full, `{"v":1,"i":"id_-9","b":"birth","k":"dir/né.bin","l":1099511627776,"o":549755813888,"p":1,` +
		`"m":"filename d29ybGQ=,is_confidential & <ok>","cr":2,"cp":["p1","p2","p1"],"ch":"final;/files/p1 /files/p2",` +
		`"c":1800000000001,"x":1800086400002,"u":"AAH/","s":4294967295,"d":"AQIDBAU=","e":5,` +
		`"g":18446744073709551615,"n":"nonce","t":1800000006003,"w":1800000060004}`},
	"hardly any field": {
		Record{Upload: tus.Upload{ID: "a", Length: tus.Unknown}, Epoch: 1, Nonce: "n"},
		`{"v":1,"i":"a","l":-1,"o":0,"g":1,"n":"n"}`,
	},
	"text that is not UTF-8": {
		Record{Upload: tus.Upload{ID: "a", Key: "k\xff", Metadata: "m\xfe", Concat: tus.Concat{Header: "\xfd"}}, Epoch: 1, Nonce: "n"},
		`{"v":1,"i":"a","kb":"a/8=","l":0,"o":0,"mb":"bf4=","chb":"/Q==","g":1,"n":"n"}`,
	},
}

func TestCodecKeepsItsFormat(t *testing.T) {
	for name, g := range golden {
		b, err := Encode(g.r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g.text, string(b)); diff != "" {
			t.Errorf("%s, written:\n%s", name, diff)
		}
		r, err := Decode([]byte(g.text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g.r, r); diff != "" {
			t.Errorf("%s, read:\n%s", name, diff)
		}
	}
}

func TestCodecReturnsTextByteForByte(t *testing.T) {
	same := func(key, meta, header string, cursor []byte) bool {
		r := full
		r.Upload.Key, r.Upload.Metadata, r.Upload.Concat.Header, r.Upload.Cursor = key, meta, header, cursor
		b, err := Encode(r)
		if err != nil {
			return false
		}
		got, err := Decode(b)
		return err == nil && cmp.Equal(r, got, cmpopts.EquateEmpty())
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"\x00", "\u2028", "\ufffd", "\xed\xa0\x80", "\"\\\n", strings.Repeat("\xff", 100)} {
		if !same(text, text, text, []byte(text)) {
			t.Errorf("%q came back changed", text)
		}
	}
}

func TestOrdinaryRecordStaysBelowAKilobyte(t *testing.T) {
	r := Record{
		Upload: tus.Upload{
			ID: tus.NewID(), Birth: "0123456789ab", Length: 5 << 40, Offset: 5<<40 - 1,
			Metadata: "filename " + strings.Repeat("x", 120) + ",filetype " + strings.Repeat("x", 40),
			Created:  t0, Expires: t0, NextSlot: 10_000,
			Cursor: bytes.Repeat([]byte{0xff}, 200), Digest: bytes.Repeat([]byte{0xff}, 113), // with SHA-256
			Pending: 0xff,
		},
		Epoch: 1 << 32, Nonce: tus.NewNonce(), LeaseUntil: t0, Due: t0,
	}
	b, err := Encode(r)
	if err != nil || len(b) >= 1000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestDecodeLeavesUnknownFieldsAside(t *testing.T) {
	r, err := Decode([]byte(`{"v":1,"i":"a","l":5,"o":3,"g":2,"n":"n","new":{"deep":[1]}}`))
	if err != nil || r.Upload.Offset != 3 || r.Epoch != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"v":2,"i":"a","l":5,"o":3}`:         "record a has the format 2, this program reads up to 1",
		`{"i":"a","l":{"of":5},"o":3,"v":3}`:  "has the format 3",
		`{"i":"a","l":5,"o":3}`:               "no format number",
		`{"v":1,"i":"a","l":"5","o":3}`:       "decode record",
		`{"v":1,"i":"a","l":5,"o":3,"p":200}`: "unknown phase(200)",
		`{"v":1,"i":"a`:                       "decode record",
		``:                                    "decode record",
	} {
		if r, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want an error with %q", text, r, err, want)
		}
	}
}

func TestEncodeRefusesWhatWouldBeNoRecord(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"no epoch":      func(r *Record) { r.Epoch = 0 },
		"no nonce":      func(r *Record) { r.Nonce = "" },
		"no ID":         func(r *Record) { r.Upload.ID = "" },
		"a path for ID": func(r *Record) { r.Upload.ID = "../x" },
		"a huge cursor": func(r *Record) { r.Upload.Cursor = make(tus.Cursor, tus.MaxCursor+1) },
	} {
		r := full
		change(&r)
		if b, err := Encode(r); err == nil {
			t.Errorf("%s: %s", name, b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add([]byte(g.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Encode(r)
		if err != nil {
			return // read tolerant, written strict
		}
		if got, err := Decode(again); err != nil || !cmp.Equal(r, got, cmpopts.EquateEmpty()) {
			t.Errorf("%s came back as %s, %v", b, again, err)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	text, err := Encode(full)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			_, _ = Encode(full)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_, _ = Decode(text)
		}
	})
}
