package ledger

import (
	"fmt"
	"strings"
)

// The list is of November 2026, for us-east-1 (N. Virginia).
var (
	s3Put   = price{"S3, PUT class", "1,000 requests", 1e3, 0.005, "Amazon S3 pricing", thirdParties}
	s3Get   = price{"S3, GET class", "1,000 requests", 1e3, 0.0004, "Amazon S3 pricing", thirdParties}
	write   = price{"DynamoDB on demand, writes", "1,000,000 units", 1e6, 0.625, "Amazon DynamoDB pricing", thirdParties}
	read    = price{"DynamoDB on demand, reads", "1,000,000 units", 1e6, 0.125, "Amazon DynamoDB pricing", thirdParties}
	invoked = price{"Lambda, requests", "1,000,000 requests", 1e6, 0.20, "AWS Lambda pricing", thirdParties}
	arm     = price{"Lambda, duration on arm64", "GB-second", 1, 0.0000133334, "AWS Lambda pricing", thirdParties}
	httpAPI = price{
		"HTTP API", "1,000,000 units of 512 KB", 1e6, 1.00,
		"Best practices for designing API Gateway private APIs: cost optimization", awsText,
	}
	restAPI = price{
		"REST API", "1,000,000 calls", 1e6, 3.50,
		"Best practices for designing API Gateway private APIs: cost optimization", awsText,
	}
)

var pricesOfAWS = []price{s3Put, s3Get, write, read, invoked, arm, httpAPI, restAPI}

// perGiBOnAWS writes the bill of one GiB. Of Lambda it has the three doors' sums.
func (b *Bill) perGiBOnAWS() string {
	var t strings.Builder
	t.WriteString("| per GiB | units | US$ |\n|---|---|---|\n")
	all := b.plus(0, b)
	all.Units[write.name] += all.Units[indexWrites]
	sum := all.lines(&t, s3Put, s3Get, write, read)
	calls := all.Units[invoked.name]
	if calls > 0 {
		sum += all.lines(&t, invoked, arm)
	}
	all.lines(&t, price{name: s3Free, units: 1})
	if calls == 0 {
		total(&t, "together", sum)
		return t.String()
	}
	total(&t, "together, behind a Function URL", sum)
	metered := all.Units[httpAPI.name]
	fmt.Fprintf(&t, "| behind a REST API: %.0f calls | | %.6f |\n", calls, sum+restAPI.of(calls))
	fmt.Fprintf(&t, "| behind an HTTP API: %.0f units of 512 KB | | %.6f |\n", metered, sum+httpAPI.of(metered))
	return t.String()
}
