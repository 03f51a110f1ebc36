package firestorestate

import (
	"fmt"
	"time"

	"github.com/fileloft/fileloft/tus"
)

// decoder reads the fields of a record and keeps the first error. A field that is not there is zero.
type decoder struct {
	m   map[string]any
	err error
}

// newDecoder returns a decoder of the record in a document.
func newDecoder(doc map[string]any) *decoder {
	d := &decoder{}
	var ok bool
	if d.m, ok = doc[fieldRecord].(map[string]any); !ok && doc[fieldRecord] != nil {
		d.err = fmt.Errorf("the field %s of the document is not a map", fieldRecord)
	}
	return d
}

func (d *decoder) fail(name, want string) {
	if d.err == nil {
		d.err = fmt.Errorf("the field %s.%s of the document is not %s", fieldRecord, name, want)
	}
}

func (d *decoder) number(name string) int64 {
	switch v := d.m[name].(type) {
	case nil:
	case int64:
		return v
	default:
		d.fail(name, "an integer")
	}
	return 0
}

// small returns a number from 0 to most.
func (d *decoder) small(name string, most int64) int64 {
	n := d.number(name)
	if n < 0 || n > most {
		d.fail(name, fmt.Sprintf("an integer from 0 to %d", most))
	}
	return n
}

func (d *decoder) time(name string) time.Time {
	switch v := d.m[name].(type) {
	case nil:
	case time.Time:
		return v.UTC()
	case int64:
		return time.UnixMilli(v).UTC()
	default:
		d.fail(name, "a timestamp")
	}
	return time.Time{}
}

func (d *decoder) text(name string) string { return d.textOf(name, d.m[name]) }

func (d *decoder) textOf(name string, v any) string {
	switch v := v.(type) {
	case nil:
	case string:
		return v
	case []byte:
		return string(v)
	default:
		d.fail(name, "text")
	}
	return ""
}

func (d *decoder) bytes(name string) []byte {
	switch v := d.m[name].(type) {
	case nil:
	case []byte:
		if len(v) > 0 {
			return v
		}
	default:
		d.fail(name, "bytes")
	}
	return nil
}

func (d *decoder) phase() tus.Phase {
	word := d.text(fieldPhase)
	for p := tus.Open; p <= tus.Doomed; p++ {
		if p.String() == word {
			return p
		}
	}
	d.fail(fieldPhase, "a phase")
	return 0
}

func (d *decoder) parts() []tus.ID {
	switch v := d.m[fieldParts].(type) {
	case nil:
	case []any:
		if len(v) == 0 {
			return nil
		}
		ids := make([]tus.ID, len(v))
		for i, p := range v {
			ids[i] = tus.ID(d.textOf(fieldParts, p))
		}
		return ids
	default:
		d.fail(fieldParts, "a list")
	}
	return nil
}
