package ledger

import (
	"fmt"
	"strings"
)

// The list is of November 2026, for us-west1 (Oregon): a bucket of one region, Firestore's Standard edition, Cloud Run in a region of its
// first tier with billing by requests. Cloud Run functions are Cloud Run services.
var (
	gcsA       = price{"Cloud Storage, class A", "1,000 operations", 1e3, 0.005, "Cloud Storage pricing", thirdParties}
	gcsB       = price{"Cloud Storage, class B", "1,000 operations", 1e3, 0.0004, "Cloud Storage pricing", thirdParties}
	docReads   = price{"Firestore, reads", "100,000 documents", 1e5, 0.03, "Understand Cloud Firestore billing", googleText}
	docWrites  = price{"Firestore, writes", "100,000 documents", 1e5, 0.09, "Understand Cloud Firestore billing", googleText}
	docDeletes = price{"Firestore, deletes", "100,000 documents", 1e5, 0.01, "Understand Cloud Firestore billing", googleText}

	runRequests = price{"Cloud Run, requests", "1,000,000 requests", 1e6, 0.40, "Cloud Run pricing", thirdParties}
	runCPU      = price{"Cloud Run, processor", "vCPU-second", 1, 0.000024, "Cloud Run pricing", googleText}
	runMemory   = price{"Cloud Run, memory", "GiB-second", 1, 0.0000025, "Cloud Run pricing", thirdParties}
	job         = price{"Cloud Scheduler, a job", "31 days", 31, 0.10, "Cloud Scheduler pricing", googleText}
)

var pricesOfGoogle = []price{gcsA, gcsB, docReads, docWrites, docDeletes, runRequests, runCPU, runMemory, job}

// perGiBOnGoogle writes the bill of one GiB.
func (b *Bill) perGiBOnGoogle() string {
	var t strings.Builder
	t.WriteString("| per GiB | units | US$ |\n|---|---|---|\n")
	sum := b.lines(&t, gcsA, gcsB, docReads, docWrites, docDeletes)
	stores := sum
	sum += b.lines(&t, runRequests, runCPU, runMemory)
	b.lines(&t, price{name: gcsFree, units: 1})
	total(&t, "together", sum)
	fmt.Fprintf(&t, "| of which not Cloud Run | | %.6f |\n", stores)
	return t.String()
}

// sweepsOnGoogle writes what sweeps cost in 30 days that find nothing, of which this is the bill of one.
func (b *Bill) sweepsOnGoogle() string {
	return b.sweeps(gcsA, docReads, runRequests, runCPU, runMemory, job)
}
