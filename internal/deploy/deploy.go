// Package deploy reads what is deployed out of template.yaml and the modules in infra/terraform, so that tests can hold them
// to each other and to the code. It goes by the layout of those files, which are this project's own, and fails where it does
// not find what it looks for; whether they are valid is for cfn-lint and terraform to say.
package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Policy is what the functions may do: the IAM actions, sorted, by function ("endpoint", "sweeper") and service ("s3").
type Policy map[string]map[string][]string

// PolicyActions returns what the SAM template and the Terraform module allow; root is the module's directory. Actions that
// depend on a parameter (kms, xray) are among them.
func PolicyActions(root string) (sam, terraform Policy, err error) {
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, nil, err
	}
	if sam, err = samPolicy(string(template)); err != nil {
		return nil, nil, fmt.Errorf("template.yaml: %w", err)
	}
	file := filepath.Join(root, "infra", "terraform", "aws", "policy.tf")
	policy, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	if terraform, err = terraformPolicy(string(policy)); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return sam, terraform, nil
}

// samPolicy reads the roles, and the policy that both have.
func samPolicy(template string) (Policy, error) {
	p := Policy{}
	for resource, functions := range map[string][]string{
		"EndpointRole": {"endpoint"}, "SweeperRole": {"sweeper"}, "ObjectsPolicy": {"endpoint", "sweeper"},
	} {
		text, err := section(template, "Resources", resource)
		if err != nil {
			return nil, err
		}
		if err := p.add(text, functions...); err != nil {
			return nil, fmt.Errorf("%s: %w", resource, err)
		}
	}
	return p, nil
}

// terraformPolicy reads the statements that are for one function, and takes all others for both.
func terraformPolicy(file string) (Policy, error) {
	p := Policy{}
	records, err := braces(file, "  records = {")
	if err != nil {
		return nil, err
	}
	for _, function := range []string{"endpoint", "sweeper"} {
		own, err := braces(records, "    "+function+" = [")
		if err != nil {
			return nil, err
		}
		if err := p.add(own, function); err != nil {
			return nil, err
		}
	}
	return p, p.add(strings.Replace(file, records, "", 1), "endpoint", "sweeper")
}

// action matches an IAM action in quotes.
var action = regexp.MustCompile(`"([a-z0-9]+):([A-Za-z*]+)"`)

// add enters the actions that a text names. Trust policies and context keys look alike.
func (p Policy) add(text string, functions ...string) error {
	found := false
	for _, m := range action.FindAllStringSubmatch(text, -1) {
		service, name := m[1], m[0][1:len(m[0])-1]
		if service == "sts" || service == "aws" || name == "kms:ViaService" {
			continue
		}
		found = true
		for _, f := range functions {
			if p[f] == nil {
				p[f] = map[string][]string{}
			}
			if list := p[f][service]; !slices.Contains(list, name) {
				p[f][service] = slices.Sorted(slices.Values(append(list, name)))
			}
		}
	}
	if !found {
		return fmt.Errorf("no action is allowed to %s", strings.Join(functions, " and "))
	}
	return nil
}

// section returns the text of a YAML mapping's entry, two spaces deep, below a key of the first level: "Resources", "Table".
// Without a name it returns all below that key. Comments at the ends of lines are kept, those on lines of their own are not.
func section(template, key, name string) (string, error) {
	var b strings.Builder
	inKey, inName := false, name == ""
	for line := range strings.Lines(template) {
		switch depth := len(line) - len(strings.TrimLeft(line, " ")); {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(strings.TrimSpace(line), "#"):
			continue
		case depth == 0:
			inKey = strings.HasPrefix(line, key+":")
			continue
		case depth == 2 && name != "":
			inName = strings.TrimSpace(line) == name+":"
			continue
		}
		if inKey && inName {
			b.WriteString(line)
		}
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("there is no %s below %s", name, key)
	}
	return b.String(), nil
}

// braces returns what stands between the last bracket of head and the one that closes it.
func braces(text, head string) (string, error) {
	_, rest, ok := strings.Cut(text, head)
	if !ok {
		return "", fmt.Errorf("there is no %q", head)
	}
	depth := 1
	for i, r := range rest {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 {
			return rest[:i], nil
		}
	}
	return "", fmt.Errorf("%q is not closed", head)
}
