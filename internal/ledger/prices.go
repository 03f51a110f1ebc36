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

// sweeps writes what sweeps cost in 30 days, of which this is the bill of one, by how often there is one. A job of Cloud
// Scheduler has its price whatever it does.
func (b *Bill) sweeps(prices ...price) string {
	var t strings.Builder
	t.WriteString("| in 30 days | units a sweep | US$, every minute | every 5 minutes | every 10 minutes |\n|---|---|---|---|---|\n")
	var sums [3]float64
	for _, p := range prices {
		n, all := trim(fmt.Sprintf("%.2f", b.Units[p.name])), p == job
		if all {
			n = "one in all"
		}
		fmt.Fprintf(&t, "| %s | %s |", p.name, n)
		for i, minutes := range [3]float64{1, 5, 10} {
			usd := p.of(b.Units[p.name] * 30 * 24 * 60 / minutes)
			if all {
				usd = p.of(30)
			}
			sums[i] += usd
			fmt.Fprintf(&t, " %.4f |", usd)
		}
		t.WriteString("\n")
	}
	fmt.Fprintf(&t, "| **together** | | **%.4f** | **%.4f** | **%.4f** |\n", sums[0], sums[1], sums[2])
	return t.String()
}
