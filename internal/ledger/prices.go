package ledger

import (
	"fmt"
	"strings"
)

// A price is what one unit costs in dollars, beyond free tiers and below volume discounts. A price of zero is for what is free.
type price struct {
	name  string
	per   string
	units float64 // that the price is for
	usd   float64
	page  string // the vendor's, by its title
	seen  string // where the number was read
}

// What seen may be. Vendors' pages show many numbers by script only: check those before you rely on them.
const (
	thirdParties = "third parties" // articles agree
	awsText      = "AWS's text"    // the vendor's own, of whatever date it had
	googleText   = "Google's text"
)

func (p price) of(n float64) float64 { return n / p.units * p.usd }

// priceTable writes a list of prices.
func priceTable(prices []price) string {
	var b strings.Builder
	b.WriteString("| what | per | US$ | page | read in |\n|---|---|---|---|---|\n")
	for _, p := range prices {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", p.name, p.per, trim(fmt.Sprintf("%.10f", p.usd)), p.page, p.seen)
	}
	return b.String()
}

func trim(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

// lines writes a line for each price, and returns what they come to.
func (b *Bill) lines(t *strings.Builder, prices ...price) (sum float64) {
	for _, p := range prices {
		n := b.Units[p.name]
		usd := "0"
		if p.usd > 0 {
			usd = fmt.Sprintf("%.6f", p.of(n))
		}
		sum += p.of(n)
		fmt.Fprintf(t, "| %s | %s | %s |\n", p.name, trim(fmt.Sprintf("%.2f", n)), usd)
	}
	return sum
}

func total(t *strings.Builder, what string, usd float64) {
	fmt.Fprintf(t, "| **%s** | | **%.6f** |\n", what, usd)
}
