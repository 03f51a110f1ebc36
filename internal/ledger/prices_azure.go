package ledger

import (
	"fmt"
	"strings"
	"time"
)

// The list is of November 2026, for East US: a general-purpose account (v2) with locally redundant storage, blobs in the tier Hot, and the plan
// Flex Consumption on demand.
var (
	blobWrite  = price{"Azure Blob Storage, writes", "10,000 operations", 1e4, 0.05, "Azure Blob Storage pricing", thirdParties}
	blobList   = price{"Azure Blob Storage, lists", "10,000 operations", 1e4, 0.05, "Azure Blob Storage pricing", thirdParties}
	blobRead   = price{"Azure Blob Storage, reads", "10,000 operations", 1e4, 0.004, "Azure Blob Storage pricing", thirdParties}
	blobOther  = price{"Azure Blob Storage, all other", "10,000 operations", 1e4, 0.004, "Azure Blob Storage pricing", thirdParties}
	tableOps   = price{"Azure Table Storage", "10,000 operations", 1e4, 0.00036, "Azure Table Storage pricing", thirdParties}
	executions = price{"Azure Functions, executions", "1,000,000 executions", 1e6, 0.40, "Azure Functions pricing", thirdParties}
	execution  = price{"Azure Functions, execution time", "GB-second", 1, 0.000026, "Azure Functions pricing", thirdParties}
)

var pricesOfAzure = []price{blobWrite, blobList, blobRead, blobOther, tableOps, executions, execution}

// executed enters n executions of a function, and how long all of them took.
func (b *Bill) executed(n int, took time.Duration, memoryGB float64) {
	b.Units[executions.name] += float64(n)
	b.Units[execution.name] += took.Seconds() * memoryGB
}

// perGiBOnAzure writes the bill of one GiB.
func (b *Bill) perGiBOnAzure() string {
	var t strings.Builder
	t.WriteString("| per GiB | units | US$ |\n|---|---|---|\n")
	sum := b.lines(&t, blobWrite, blobList, blobRead, blobOther, tableOps)
	stores := sum
	sum += b.lines(&t, executions, execution)
	b.lines(&t, price{name: blobFree, units: 1})
	total(&t, "together", sum)
	fmt.Fprintf(&t, "| of which not Azure Functions | | %.6f |\n", stores)
	return t.String()
}

// sweepsOnAzure writes what sweeps cost in 30 days that find nothing, of which this is the bill of one.
func (b *Bill) sweepsOnAzure() string {
	return b.sweeps(blobList, tableOps, executions, execution)
}
