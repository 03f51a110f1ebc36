package gcsstore

import (
	"strings"
	"testing"

	"github.com/fileloft/fileloft/internal/sim"
)

// What Concat does before it publishes.
const (
	joinsParts = `	ps, made, err = s.tree(ctx, lease, ps)
	if err == nil && len(made) == 0 {
		var p piece
		p, _, err = s.composed(ctx, lease, ps)
		ps, made = []piece{p}, []string{p.Name}
	}
	if isMissing(err) || isTaken(err) {
		err = fmt.Errorf("%w: a part's object is gone: %w", tus.ErrNotFound, err)
	}
`
	looks = `	if err == nil {
		err = s.gone(ctx, &lease.Upload)
	}
`
)

// mutants are the driver with one of its rules taken out.
var mutants = map[string]sim.Mutant{
	"names": {
		Rule: "no two leases write a piece of the same name", File: "storage/gcsstore/piece.go",
		From: "	crc := uint32(0)\n", To: "	if mutant == \"names\" {\n		p.Name = fmt.Sprint(pieceMark, lease.Upload.Offset)\n	}\n	crc := uint32(0)\n",
	},
	"fresh": {
		Rule: "what is written must not exist yet", File: "storage/gcsstore/piece.go",
		From: "	return s.bucket.Object(key).If(", To: "	if mutant == \"fresh\" {\n		return s.bucket.Object(key)\n	}\n	return s.bucket.Object(key).If(",
	},
	"drop": {
		Rule: "pieces are deleted after the commit of what they were composed into", File: "storage/gcsstore/compose.go",
		From: "		drop, made = append(drop, namesOf(group)...), append(made, p.Name)\n",
		To:   "		drop, made = append(drop, namesOf(group)...), append(made, p.Name)\n		if mutant == \"drop\" {\n			s.removePieces(ctx, &lease.Upload, namesOf(group))\n		}\n",
	},
	"early": {
		Rule: "pieces are deleted after the object is in place", File: "storage/gcsstore/complete.go",
		From: "	if err == nil {\n		made = append(made, c.Drop...)\n", To: "	if err == nil || mutant == \"early\" {\n		made = append(made, c.Drop...)\n",
	},
	"settle": {
		Rule: "pieces that are gone are no loss, nor is a key that is taken: another call may have published", File: "storage/gcsstore/complete.go",
		From: "		st, err = s.settle(ctx, u, key, &c, err)\n",
		To:   "		if mutant == \"settle\" && (isMissing(err) || isTaken(err)) {\n			return st, fmt.Errorf(\"%w: %w\", tus.ErrCorrupt, err)\n		}\n		st, err = s.settle(ctx, u, key, &c, err)\n",
	},
	"sign": {
		Rule: "Remove leaves a sign where a late Complete needs no committed piece", File: "storage/gcsstore/remove.go",
		From: "	if u.Concat.Role == tus.Final || u.Offset", To: "	if mutant == \"sign\" || mutant == \"order\" {\n	} else if u.Concat.Role == tus.Final || u.Offset",
	},
	"look": {
		Rule: "who needs no committed piece looks for the sign before it publishes", File: "storage/gcsstore/remove.go",
		From: "	case err == nil:\n		return errGone\n", To: "	case mutant == \"look\":\n		return nil\n	case err == nil:\n		return errGone\n",
	},
	"last": {
		Rule: "the object is deleted after the pieces that it could be made of again", File: "storage/gcsstore/remove.go",
		From: "	// A late Complete may compose what", To: "	if mutant == \"last\" {\n		if err := s.removeObject(ctx, u, key); err != nil {\n			return err\n		}\n		key += \"?\"\n	}\n	// A late Complete may compose what",
	},
	"behind": {
		Rule: "the sign is looked for when the piece is there", File: "storage/gcsstore/concat.go",
		From: joinsParts + looks,
		To: "	if mutant == \"behind\" {\n		if err := s.gone(ctx, &lease.Upload); err != nil {\n			return st, nil, err\n		}\n	}\n" +
			strings.Replace(joinsParts, "len(made) == 0 {", "len(made) == 0 && mutant != \"own\" {", 1) +
			"	if err == nil && mutant != \"behind\" {\n		err = s.gone(ctx, &lease.Upload)\n	}\n",
	},
	"swept": {
		Rule: "Collect takes the pieces of an upload that is done", File: "storage/gcsstore/remove.go",
		From: "	case u.Phase != tus.Done:\n", To: "	case u.Phase != tus.Done, mutant == \"swept\":\n",
	},
	"partial": {
		Rule: "Collect leaves the object of a part that is done", File: "storage/gcsstore/remove.go",
		From: "			return piece == objectName ||", To: "			return piece == objectName && mutant != \"partial\" ||",
	},
	"own": {
		Rule: "Concat publishes a piece of the final upload's own", // with behind's text
	},
	"again": {
		Rule: "Remove lists until there is nothing", File: "storage/gcsstore/remove.go",
		From: "	return len(found) > 0, s.removeFound(ctx, found)\n", To: "	return len(found) > 0 && mutant != \"again\", s.removeFound(ctx, found)\n",
	},
	"order": {
		Rule: "Remove leaves its sign before it looks for pieces", File: "storage/gcsstore/remove.go",
		From: "	return s.removeObject(ctx, u, key)\n}\n\n// leaveSign", To: "	if mutant == \"order\" {\n		_ = s.leaveSign(ctx, u)\n	}\n	return s.removeObject(ctx, u, key)\n}\n\n// leaveSign",
	},
}

func TestEachRuleIsNeeded(t *testing.T) { sim.EachRuleIsNeeded(t, simulated, mutants) }
