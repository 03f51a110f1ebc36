package app

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Warnings finds what may be a mistake in an environment or a Config but need not stop the start. They repeat no
// values: those of unknown variables may be secrets.
func (c Config) Warnings(env Env) []string {
	var list []string
	known := Settings()
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix) || slices.ContainsFunc(known, func(s Setting) bool { return s.Env == name }) {
			continue
		}
		w := name + " is not a setting of this version and has no effect"
		if near := nearest(name, known); near != "" {
			w += ": did you mean " + near + "?"
		}
		list = append(list, w)
	}
	for _, s := range known {
		text, set := env.Lookup(s.also)
		_, ours := env.Lookup(s.Env)
		if set && !ours && s.try(s.also, text) != nil {
			list = append(list, fmt.Sprintf("%s is not understood and has no effect: set %s to %s", s.also, s.Env, s.accepts()))
		}
	}
	if host, _, _ := net.SplitHostPort(c.MetricsBind); c.EnablePprof && !net.ParseIP(host).IsLoopback() && host != "localhost" {
		list = append(list, Prefix+"ENABLE_PPROF is on: whoever can reach "+c.MetricsBind+" can profile this process, and slow it down")
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol, set := env.Lookup(name); c.EnableTraces && set && protocol != "http/protobuf" {
			list = append(list, name+" has no effect: traces are sent as http/protobuf, which most collectors take at port 4318")
		}
	}
	if c.MaxSize == 0 {
		list = append(list, Prefix+"MAX_SIZE is not set: anyone who can reach this server can fill the storage")
	}
	if c.EnableH2C && c.TLSCert != "" {
		list = append(list, Prefix+"ENABLE_H2C has no effect with TLS, which brings HTTP/2 by itself")
	}
	list = append(list, c.hookWarnings()...)
	if c.State == "memory" {
		list = append(list, Prefix+"STATE is memory: unfinished uploads are forgotten when the server ends")
	}
	return list
}

// nearest returns the known variable that differs from name in the fewest letters, "" if none is close.
func nearest(name string, known []Setting) string {
	best, distance := "", 4
	for _, s := range known {
		if d := editDistance(name, s.Env); d < distance {
			best, distance = s.Env, d
		}
	}
	return best
}

// editDistance counts the letters to insert, delete or replace to make b out of a (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
