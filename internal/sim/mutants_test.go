package sim

import "testing"

// mutants maps names to what they are. All go into one program, which is told by its environment which one it is.
var mutants = map[string]Mutant{
	"fence": {
		"a commit counts only under the newest epoch and after the write that it follows", "state/rules.go",
		"	if r.Nonce != l.Nonce {\n		return Record{}, tus.Lease{}, tus.ErrSuperseded", "	if mutant != \"fence\" && mutant != \"nonce\" && r.Nonce != l.Nonce {\n		return Record{}, tus.Lease{}, tus.ErrSuperseded",
	},
	"nonce": {"a late copy of a commit changes nothing", "", "", ""}, // with fence's text
	"epoch": {
		"a commit counts only under the newest epoch", "state/rules.go",
		"if r.Upload.Birth != l.Upload.Birth || r.Epoch != l.Epoch {", "if r.Upload.Birth != l.Upload.Birth || mutant != \"epoch\" && mutant != \"fence\" && r.Epoch != l.Epoch {",
	},
	"slots": {
		"the write that grants a lease keeps its slots from the next", "state/rules.go",
		"	return r, r.lease(n), nil\n}\n\n// again", "	l := r.lease(n)\n	if mutant == \"slots\" {\n		r.Upload.NextSlot -= n\n	}\n	return r, l, nil\n}\n\n// again",
	},
	"spoilt": {
		"slots that were touched do not go back with a receipt that is thrown away", "tus/rounds.go",
		"	next.NextSlot = rc.NextSlot\n", "	next.NextSlot = rc.NextSlot\n	if mutant == \"spoilt\" && (err != nil || rc.N == 0) {\n		next.NextSlot = lease.Slots.First\n	}\n",
	},
	"tail": {
		"the old tail is deleted after the commit of what replaces it", "storage/memstore/append.go",
		"	a.cursor.add(n)\n", "	a.cursor.add(n)\n	if mutant == \"tail\" {\n		for _, t := range a.cursor.Tails {\n			delete(ses.tails, t.Name)\n		}\n	}\n",
	},
	"record": {
		"the record goes after the pieces", "tus/finish.go",
		"	k := h.keep(ctx, l, func(error) {})\n	err := guard(func() error { return h.storage.Remove(ctx, l) })\n",
		"	if mutant == \"record\" {\n		if err := h.deleteRecord(ctx, l); err != nil {\n			return err\n		}\n	}\n	k := h.keep(ctx, l, func(error) {})\n	err := guard(func() error { return h.storage.Remove(ctx, l) })\n",
	},
	"early": {
		"bytes are acknowledged after the commit of their receipt", "tus/rounds.go",
		"		return a.lease.Upload, false, e\n	case !more:", "		if mutant == \"early\" {\n			return next, false, nil\n		}\n		return a.lease.Upload, false, e\n	case !more:",
	},
	"checksum": {
		"bytes that do not match their checksum do not count", "tus/rounds.go",
		"			return false, err\n		}\n	}\n	return a.verify", "			return mutant == \"checksum\", err\n		}\n	}\n	return mutant == \"checksum\" || a.verify",
	},
	"compare": {
		"what the store holds is compared with what was committed", "tus/finish.go",
		"	if s.HasCRC32C && s", "	if mutant != \"compare\" && s.HasCRC32C && s",
	},
	"sealed": {
		"HEAD puts a sealed upload's object in place before it calls the upload complete", "tus/engine.go",
		"	case u.Phase == Sealed:\n		return h.rollForward", "	case u.Phase == Sealed && mutant != \"sealed\":\n		return h.rollForward",
	},
	"conflict": {
		"PATCH at another offset puts a sealed upload's object in place before it tells the offset", "tus/append.go",
		"	case u.Phase == Sealed:\n		if u, err = h.rollForward", "	case u.Phase == Sealed && mutant != \"conflict\":\n		if u, err = h.rollForward",
	},
	"overtaken": {
		"a writer that was overtaken is not told the end before the object is in place", "tus/rounds.go",
		"	if u.Phase == Sealed {\n		return u, faultLocked", "	if u.Phase == Sealed && mutant != \"overtaken\" {\n		return u, faultLocked",
	},
	"created": {
		"a creation does not tell the end before the object is in place", "tus/tus1.go",
		"c.body != nil && u.Phase != Sealed {", "c.body != nil && (u.Phase != Sealed || mutant == \"created\") {",
	},
	"event": {
		"an event that was not delivered stays owed", "tus/deliver.go",
		"			return owed\n		}\n		owed &^= kind", "			if mutant != \"event\" {\n				return owed\n			}\n		}\n		owed &^= kind",
	},
	"late": {
		"what a late Complete would need is taken away first", "storage/memstore/complete.go",
		"	if _, ok := s.gone[o.life]; ok {", "	if _, ok := s.gone[o.life]; ok && mutant != \"late\" {",
	},
	"parts": {
		"a clean-up of parts waits until the final upload is done", "tus/finish.go",
		"	stored, err := h.complete(ctx, l)\n", "	if mutant == \"parts\" && u.Concat.Role == Final && h.opt.CleanupPartials {\n		h.cleanUp(ctx, u.Concat.Parts)\n	}\n	stored, err := h.complete(ctx, l)\n",
	},
	"strays": {
		"of an upload that is done all goes but its object", "storage/memstore/complete.go",
		"		if !dead && u.Phase != tus.Done {", "		if !dead && (u.Phase != tus.Done || mutant == \"strays\") {",
	},
	"retry": {
		"a failed completion gives its lease back and is taken up again", "tus/sweep.go",
		"	case u.Phase == Doomed:\n", "	case mutant == \"retry\":\n		return nil\n	case u.Phase == Doomed:\n",
	},
}

func TestEachRuleIsNeeded(t *testing.T) { EachRuleIsNeeded(t, inMemory, mutants) }
