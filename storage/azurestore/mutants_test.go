package azurestore

import (
	"testing"

	"github.com/fileloft/fileloft/internal/sim"
)

// againAndDiscard takes the place of Remove's return.
const againAndDiscard = `	if mutant == "discard" {
		for _, name := range found {
			if err := s.remove(ctx, name, nil); err != nil {
				return false, err
			}
		}
		return false, nil
	}
	return len(found) > 0 && mutant != "again", s.removePieces(ctx, found)
`

// mutants are the driver with one of its rules taken out.
var mutants = map[string]sim.Mutant{
	"ids": {
		Rule: "blocks are named by the lease's slots, which no other lease has", File: "storage/azurestore/append.go",
		From: "	a.base, a.work = c, c.clone()\n",
		To:   "	a.base, a.work = c, c.clone()\n	if k := len(c.Stages); mutant == \"ids\" {\n		if a.next = 1; k > 0 && len(c.Stages[k-1].runs) > 0 {\n			r := c.Stages[k-1].runs\n			a.next = r[len(r)-1].End()\n		}\n	}\n",
	},
	"bound": {
		Rule: "a stage is bound when the committed cursor says that it is full", File: "storage/azurestore/cursor.go",
		From: "		if st.State == full {\n", To: "		if st.State == full || mutant == \"bound\" && st.State == open {\n",
	},
	"named": {
		Rule: "a list names the committed blocks and no others", File: "storage/azurestore/cursor.go",
		From: "	for _, r := range st.runs {\n", To: "	for _, r := range st.runs {\n		if mutant == \"named\" && len(ids) > 0 {\n			r.First, r.N = st.runs[0].First+uint32(len(ids)), r.End()-st.runs[0].First-uint32(len(ids))\n		}\n",
	},
	"kept": {
		Rule: "stages are deleted when the object is there", File: "storage/azurestore/complete.go",
		From: "	if err == nil {\n		for i := range", To: "	if err == nil || mutant == \"kept\" {\n		for i := range",
	},
	"copied": {
		Rule: "an object is there when its copy has ended", File: "storage/azurestore/complete.go",
		From: "st != blob.CopyStatusTypeSuccess {", To: "st != blob.CopyStatusTypeSuccess && mutant != \"copied\" {",
	},
	"waits": {
		Rule: "an object that is seen counts when its copy has ended", File: "storage/azurestore/complete.go",
		From: "		case blob.CopyStatusTypePending:\n			select {", To: "		case blob.CopyStatusTypePending:\n			if mutant == \"waits\" {\n				return o, nil\n			}\n			select {",
	},
	"failed": {
		Rule: "what a copy that failed has left is taken away", File: "storage/azurestore/complete.go",
		From: "			if err := s.remove(ctx, key, o.etag); err != nil {", To: "			if mutant == \"failed\" {\n				return nil, tus.ErrUnavailable\n			}\n			if err := s.remove(ctx, key, o.etag); err != nil {",
	},
	"lost": {
		Rule: "a block that is gone is no loss: another call may have published", File: "storage/azurestore/complete.go",
		From: "	seen, err := s.settle(ctx, u, key, err)\n", To: "	if mutant == \"lost\" && isNoBlock(err) {\n		return false, fmt.Errorf(\"%w: %w\", tus.ErrCorrupt, err)\n	}\n	seen, err := s.settle(ctx, u, key, err)\n",
	},
	"same": {
		Rule: "what is copied is what was looked at, and not what is being discarded", File: "storage/azurestore/complete.go",
		From: "	to := s.client.NewBlobClient(key)\n", To: "	if mutant == \"same\" {\n		o.SourceModifiedAccessConditions = nil\n	}\n	to := s.client.NewBlobClient(key)\n",
	},
	"again": {
		Rule: "Remove lists until there is nothing", File: "storage/azurestore/remove.go",
		From: "	return len(found) > 0, s.removePieces(ctx, found)\n", To: againAndDiscard,
	},
	"discard": {
		Rule: "an empty list throws away what is staged, before a blob is deleted", // with again's text
	},
	"sign": {
		Rule: "Remove leaves a sign where a late Complete needs no blocks", File: "storage/azurestore/remove.go",
		From: "		if err := s.leaveSign(ctx, u); err != nil {", To: "		if err := s.leaveSign(ctx, u); mutant == \"sign\" || mutant == \"order\" {\n			_ = s.remove(ctx, s.dir(lifeOf(u))+signName, nil)\n		} else if err != nil {",
	},
	"look": {
		Rule: "who makes a blob without blocks looks for the sign before it is published", File: "storage/azurestore/complete.go",
		From: "	case err == nil:\n		return errGone\n", To: "	case err == nil && mutant == \"look\":\n		return nil\n	case err == nil:\n		return errGone\n",
	},
	"abort": {
		Rule: "a copy is ended before its blob is deleted", File: "storage/azurestore/remove.go",
		From: "	if o.copied == blob.CopyStatusTypePending {", To: "	if o.copied == blob.CopyStatusTypePending && mutant != \"abort\" {",
	},
	"part": {
		Rule: "of an upload that is done the object of a part is kept", File: "storage/azurestore/remove.go",
		From: "			return piece == objectName || piece == signName\n", To: "			return piece == objectName && mutant != \"part\" || piece == signName\n",
	},
	"strays": {
		Rule: "of an upload that is done all goes but its object", File: "storage/azurestore/remove.go",
		From: "	case u.Phase != tus.Done:\n", To: "	case u.Phase != tus.Done || mutant == \"strays\":\n",
	},
	"uncommitted": {
		Rule: "lists ask for blobs that have nothing but staged blocks", File: "storage/azurestore/remove.go",
		From: "UncommittedBlobs: true}", To: "UncommittedBlobs: mutant != \"uncommitted\"}",
	},
	"order": {
		Rule: "Remove leaves its sign before it looks for blobs", File: "storage/azurestore/remove.go",
		From: "	return s.removeObject(ctx, u, key)\n}\n\n// leaveSign", To: "	if mutant == \"order\" {\n		_ = s.leaveSign(ctx, u)\n	}\n	return s.removeObject(ctx, u, key)\n}\n\n// leaveSign",
	},
}

func TestEachRuleIsNeeded(t *testing.T) { sim.EachRuleIsNeeded(t, simulated, mutants) }
