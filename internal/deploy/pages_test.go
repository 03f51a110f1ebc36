package deploy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// modules are the Terraform modules, with the chunk that their pages' scripts send.
var modules = map[string]string{"aws": "4194304", "gcp": "16777216", "azure": "16777216"}

// One of the loops is run by a test of the server's; the others are the same.
func TestTheCurlLoopIsTheSameOnEveryPage(t *testing.T) {
	loop := regexp.MustCompile(`(?s)/files/ file=film\.mp4 chunk=(\d+)\n(.*?)\n` + "```")
	want := loop.FindStringSubmatch(read(t, "docs/aws.md"))
	if want == nil || !strings.Contains(want[2], "-X PATCH") {
		t.Fatal("docs/aws.md has no loop: this test is blind")
	}
	for cloud, chunk := range modules {
		got := loop.FindStringSubmatch(read(t, "docs/"+cloud+".md"))
		switch {
		case got == nil:
			t.Errorf("docs/%s.md has no loop", cloud)
		case got[2] != want[2]:
			t.Errorf("docs/%s.md has another loop than docs/aws.md:\n%s", cloud, got[2])
		case got[1] != chunk:
			t.Errorf("docs/%s.md sends chunks of %s bytes, want %s", cloud, got[1], chunk)
		}
		output, err := braces(read(t, "infra/terraform/"+cloud+"/outputs.tf"), `output "chunk_size" {`)
		if err != nil {
			t.Fatal(err)
		}
		if value := matches(t, `value += (.*)`, output)[0]; !strings.Contains(value, chunk) {
			t.Errorf("the module for %s tells clients %s bytes, its page %s", cloud, value, chunk)
		}
	}
}

// A command that is pasted must be one: targets of make, directories, variables, and all variables that have no default.
func TestTheCommandsOnThePagesExist(t *testing.T) {
	makefile, seen, made := read(t, "Makefile"), 0, 0
	for _, page := range []string{"README.md", "docs/aws.md", "docs/gcp.md", "docs/azure.md"} {
		text := read(t, page)
		for _, m := range regexp.MustCompile("(?:^|[\n`(] ?)make ([a-z][a-z-]+)").FindAllStringSubmatch(text, -1) {
			made++
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: there is nothing to make of the name %s", page, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^terraform -chdir=infra/terraform/(\w+) (\w+)(.*)$`).FindAllStringSubmatch(text, -1) {
			seen++
			have, given := variables(t, m[1]), []string{}
			for _, v := range regexp.MustCompile(`-var (\w+)=`).FindAllStringSubmatch(m[3], -1) {
				given = append(given, v[1])
				if _, ok := have[v[1]]; !ok {
					t.Errorf("%s: the module for %s has no variable %s", page, m[1], v[1])
				}
			}
			for name, value := range have {
				if m[2] == "apply" && value == "required" && !slices.Contains(given, name) {
					t.Errorf("%s: %s asks for %s", page, m[0], name)
				}
			}
		}
	}
	if seen < 10 || made < 10 {
		t.Errorf("%d commands for Terraform are read, and %d for make: this test is half blind", seen, made)
	}
}
