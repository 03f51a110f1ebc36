package app

import (
	"fmt"
	"strings"
)

// Table writes the settings as a Markdown table, for the README.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | flag | default | meaning |\n|---|---|---|---|\n")
	group := ""
	for _, s := range Settings() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "| **%s** | | | |\n", cell(group))
		}
		name := "`" + s.Env + "`"
		if s.also != "" {
			name += " (or `" + s.also + "`)"
		}
		def := s.Default
		if s.preset != "" || !strings.Contains(def, " ") && def != "none" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| %s | `--%s` | %s | %s |\n", name, s.Flag, def, cell(s.Help))
	}
	return b.String()
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(text)
}
