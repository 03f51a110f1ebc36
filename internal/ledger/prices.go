package ledger

import (
	"fmt"
	"strings"
)

// A price is what one unit costs in dollars, in us-east-1 (N. Virginia), beyond free tiers and below volume discounts.
type price struct {
	name  string
	per   string
	units float64 // that the price is for
	usd   float64
	page  string // the vendor's, by its title
	seen  string // where the number was read
}

// The list is of November 2026. "AWS's text" is the vendor's own, of whatever date it had; "third parties" means that articles agree, because
// the vendor's page shows its numbers only by script: check those before you rely on them.
var (
	s3Put   = price{"S3, PUT class", "1,000 requests", 1e3, 0.005, "Amazon S3 pricing", "third parties"}
	s3Get   = price{"S3, GET class", "1,000 requests", 1e3, 0.0004, "Amazon S3 pricing", "third parties"}
	write   = price{"DynamoDB on demand, writes", "1,000,000 units", 1e6, 0.625, "Amazon DynamoDB pricing", "third parties"}
	read    = price{"DynamoDB on demand, reads", "1,000,000 units", 1e6, 0.125, "Amazon DynamoDB pricing", "third parties"}
	invoked = price{"Lambda, requests", "1,000,000 requests", 1e6, 0.20, "AWS Lambda pricing", "third parties"}
	arm     = price{"Lambda, duration on arm64", "GB-second", 1, 0.0000133334, "AWS Lambda pricing", "third parties"}
	httpAPI = price{
		"HTTP API", "1,000,000 units of 512 KB", 1e6, 1.00,
		"Best practices for designing API Gateway private APIs: cost optimization", "AWS's text",
	}
	restAPI = price{
		"REST API", "1,000,000 calls", 1e6, 3.50,
		"Best practices for designing API Gateway private APIs: cost optimization", "AWS's text",
	}
)

var prices = []price{s3Put, s3Get, write, read, invoked, arm, httpAPI, restAPI}

func (p price) of(n float64) float64 { return n / p.units * p.usd }

// priceTable writes the list.
func priceTable() string {
	var b strings.Builder
	b.WriteString("| what | per | US$ | page | read in |\n|---|---|---|---|---|\n")
	for _, p := range prices {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", p.name, p.per, trim(fmt.Sprintf("%.10f", p.usd)), p.page, p.seen)
	}
	return b.String()
}

func trim(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

// A line is one kind of unit on a bill.
type line struct {
	price price
	n     float64
}

// lines are the parts of a bill that do not depend on the door.
func (b *Bill) lines() []line {
	l := []line{
		{s3Put, float64(b.requests(putClass))},
		{s3Get, float64(b.requests(getClass))},
		{write, b.WriteUnits + b.IndexUnits},
		{read, b.ReadUnits},
	}
	if b.Invocations > 0 {
		l = append(l, line{invoked, float64(b.Invocations)}, line{arm, b.GBSeconds})
	}
	return l
}

// perGiB writes the bill of one GiB. Of Lambda it has the three doors' sums.
func (b *Bill) perGiB() string {
	var t strings.Builder
	t.WriteString("| per GiB | units | US$ |\n|---|---|---|\n")
	sum := 0.0
	for _, l := range b.lines() {
		sum += l.price.of(l.n)
		fmt.Fprintf(&t, "| %s | %s | %.6f |\n", l.price.name, trim(fmt.Sprintf("%.2f", l.n)), l.price.of(l.n))
	}
	fmt.Fprintf(&t, "| S3, deletions and aborts | %d | 0 |\n", b.requests(free))
	if b.Invocations == 0 {
		fmt.Fprintf(&t, "| **together** | | **%.6f** |\n", sum)
		return t.String()
	}
	calls := float64(b.Invocations)
	fmt.Fprintf(&t, "| **together, behind a Function URL** | | **%.6f** |\n", sum)
	fmt.Fprintf(&t, "| behind a REST API: %.0f calls | | %.6f |\n", calls, sum+restAPI.of(calls))
	fmt.Fprintf(&t, "| behind an HTTP API: %d units of 512 KB | | %.6f |\n", b.MeteredHTTP, sum+httpAPI.of(float64(b.MeteredHTTP)))
	return t.String()
}
