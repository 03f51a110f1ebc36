package s3store

import (
	"testing"

	"github.com/fileloft/fileloft/internal/sim"
)

// mutants are the driver with one of its rules taken out.
var mutants = map[string]sim.Mutant{
	"numbers": {
		Rule: "parts are numbered by the lease's slots, which no other lease has", File: "storage/s3store/append.go",
		From: "	number, session, chunks, sum := a.next, ",
		To:   "	if mutant == \"numbers\" {\n		a.next = a.work.lastNumber() + 1\n	}\n	number, session, chunks, sum := a.next, ",
	},
	"drop": {
		Rule: "tails are deleted after the commit of what replaces them", File: "storage/s3store/append.go",
		From: "			st.etag, st.ok = etag, true\n",
		To:   "			st.etag, st.ok = etag, true\n			for _, p := range pieces {\n				if mutant == \"drop\" && p.data == nil {\n					_ = a.s.remove(ctx, p.key)\n				}\n			}\n",
	},
	"note": {
		Rule: "a session is noted before its first part", File: "storage/s3store/session.go",
		From: "	if err := s.put(ctx, note, key); err != nil {", To: "	if err := s.put(ctx, note, key); mutant != \"note\" && err != nil {",
	},
	"notes": {
		Rule: "a note is deleted after its session has ended", File: "storage/s3store/remove.go",
		From: "	if id, ok := sessionOf(name); ok && key != \"\" {", To: "	if id, ok := sessionOf(name); ok && key != \"\" && mutant != \"notes\" {",
	},
	"committed": {
		Rule: "an object is made of the committed parts alone", File: "storage/s3store/complete.go",
		From: "			if len(runs) == 0 || number < next {\n", To: "			if mutant == \"committed\" && (len(runs) == 0 || number < next) {\n				parts = append(parts, types.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag})\n				size += aws.ToInt64(p.Size)\n			}\n			if len(runs) == 0 || number < next {\n",
	},
	"seen": {
		Rule: "an upload is complete when its object is seen, not when the store says so", File: "storage/s3store/complete.go",
		From: "	err = s.settle(ctx, u, key, errUnseen)\n", To: "	if mutant == \"seen\" {\n		return nil\n	}\n	err = s.settle(ctx, u, key, errUnseen)\n",
	},
	"corrupt": {
		Rule: "a session that is gone is no loss: another call may have published", File: "storage/s3store/complete.go",
		From: "	case own:\n		return nil\n", To: "	case mutant == \"corrupt\" && isNoUpload(why):\n		return tus.ErrCorrupt\n	case own:\n		return nil\n",
	},
	"sign": {
		Rule: "Remove leaves a sign where a late Complete needs no session", File: "storage/s3store/remove.go",
		From: "	if u.Concat.Role == tus.Final || c.Session", To: "	if mutant == \"sign\" {\n	} else if u.Concat.Role == tus.Final || c.Session",
	},
	"behind": {
		Rule: "who published without a session looks for the sign behind that, or Collect does", File: "storage/s3store/complete.go",
		From: "	err = s.gone(ctx, u)\n", To: "	if mutant == \"behind\" {\n		return nil\n	}\n	err = s.gone(ctx, u)\n",
	},
	"swept": {
		Rule: "with a sign goes the object that was published behind it", File: "storage/s3store/remove.go",
		From: "		if name == signName && key != \"\" {", To: "		if name == signName && key != \"\" && mutant != \"swept\" && mutant != \"behind\" {",
	},
	"unsure": {
		Rule: "an object is taken back because of a sign, not because nobody can tell whether there is one", File: "storage/s3store/complete.go",
		From: "	if errors.Is(err, errGone) { // nothing", To: "	if errors.Is(err, errGone) || mutant == \"unsure\" && err != nil { // nothing",
	},
}

func TestEachRuleIsNeeded(t *testing.T) { sim.EachRuleIsNeeded(t, simulated, mutants) }
