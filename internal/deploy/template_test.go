package deploy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/state/dynamostate"
)

// read returns a file of the project.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// matches returns the first group of each match. None is a test that sees nothing.
func matches(t *testing.T, pattern, text string) []string {
	t.Helper()
	var list []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	if len(list) == 0 {
		t.Fatalf("nothing matches %s: this test is blind", pattern)
	}
	return list
}

// parameters returns the template's parameters with their defaults.
func parameters(t *testing.T, template string) map[string]string {
	t.Helper()
	all, err := section(template, "Parameters", "")
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for _, name := range matches(t, `(?m)^  ([A-Za-z]+):\n`, all) {
		text, err := section(template, "Parameters", name)
		if err != nil {
			t.Fatal(err)
		}
		defaults[name] = strings.Trim(matches(t, `(?m)^    Default: (.*)$`, text)[0], `"`)
		if !strings.Contains(text, "Description:") {
			t.Errorf("the parameter %s is not described", name)
		}
		if !strings.Contains(text, "Allowed") && !strings.Contains(text, "MinValue") {
			t.Errorf("the parameter %s takes anything", name)
		}
	}
	return defaults
}

// variables returns the variables of a cloud's module with their defaults, "required" where there is none.
func variables(t *testing.T, cloud string) map[string]string {
	t.Helper()
	file := read(t, "infra/terraform/"+cloud+"/variables.tf")
	defaults := map[string]string{}
	for _, name := range matches(t, `(?m)^variable "(\w+)" \{$`, file) {
		text, err := braces(file, `variable "`+name+`" {`)
		if err != nil {
			t.Fatal(err)
		}
		defaults[name] = "required"
		if m := regexp.MustCompile(`(?m)^  default += (.*)$`).FindStringSubmatch(text); m != nil {
			defaults[name] = strings.Trim(m[1], `"`)
		}
		if !strings.Contains(text, "description") || !strings.Contains(text, "type ") {
			t.Errorf("the variable %s is not described", name)
		}
		if !strings.Contains(text, "validation {") && !regexp.MustCompile(`type +\= (bool|map\(string\))`).MatchString(text) {
			t.Errorf("the variable %s takes anything", name)
		}
	}
	return defaults
}

// What one of the two has in another form.
var (
	twins = map[string]struct{ name, sam, terraform string }{
		"JwtIssuer":       {"jwt", "", "null"},
		"JwtAudience":     {"jwt", "", "null"},
		"DataRemoval":     {"force_destroy", "Retain", "false"},
		"Tracing":         {"tracing", "PassThrough", "false"},
		"Versioning":      {"versioning", "Suspended", "false"},
		"CorsAllowOrigin": {"cors_allow_origin", "*", `["*"]`},
	}
	terraformAlone = map[string]string{
		"name": "the stack's", "tags": "the stack's", "package": "sam build makes it",
		"abort_days": "CloudFormation cannot compare", "settings": "a template has no maps",
	}
)

func TestBothTemplatesTakeTheSame(t *testing.T) {
	have, paired := variables(t, "aws"), map[string]bool{}
	for name, def := range parameters(t, read(t, "template.yaml")) {
		want, wantDefault := strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "${1}_$2")), def
		if twin, ok := twins[name]; ok {
			want, wantDefault = twin.name, twin.terraform
			if def != twin.sam {
				t.Errorf("%s is %q by default, want %q", name, def, twin.sam)
			}
		}
		if got, ok := have[want]; !ok || got != wantDefault {
			t.Errorf("%s is %q by default in template.yaml; %s is %q in Terraform", name, def, want, got)
		}
		paired[want] = true
	}
	for name := range have {
		if !paired[name] && terraformAlone[name] == "" {
			t.Errorf("the variable %s has no parameter", name)
		}
	}
}

// cfn-lint does not look for it through the transform.
func TestEveryParameterIsUsed(t *testing.T) {
	template := read(t, "template.yaml")
	_, body, _ := strings.Cut(template, "\nConditions:")
	for name := range parameters(t, template) {
		if !regexp.MustCompile(`!Ref ` + name + `\b|\$\{` + name + `\}`).MatchString(body) {
			t.Errorf("nothing is made of the parameter %s", name)
		}
	}
}

// CloudFormation cannot add, so it is written down for each choice.
func TestTheLifecycleRuleComesSixDaysAfterExpiry(t *testing.T) {
	template := read(t, "template.yaml")
	param, err := section(template, "Parameters", "ExpirationDays")
	if err != nil {
		t.Fatal(err)
	}
	choices := strings.Split(matches(t, `AllowedValues: \[(.*)\]`, param)[0], ", ")
	rows, err := section(template, "Mappings", "Expiration")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, c := range choices {
		days, err := strconv.Atoi(c)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "    %q: {Seconds: \"%d\", AbortDays: %d}\n", c, days*86400, days+6)
	}
	if d := cmp.Diff(want.String(), rows); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestBothTemplatesSetTheSameSettingsAndAllExist(t *testing.T) {
	known := map[string]bool{}
	for _, s := range app.Settings() {
		known[s.Env] = true
	}
	template, functions := read(t, "template.yaml"), read(t, "infra/terraform/aws/functions.tf")
	sam := matches(t, `(?m)^ +(FILELOFT_\w+): `, template)
	terraform := matches(t, `(?m)^ +(FILELOFT_\w+) += `, functions)
	if d := cmp.Diff(slices.Sorted(slices.Values(sam)), slices.Sorted(slices.Values(terraform))); d != "" {
		t.Errorf("template.yaml (-) and infra/terraform/aws (+) differ:\n%s", d)
	}
	for _, name := range sam {
		if !known[name] {
			t.Errorf("%s is no setting", name)
		}
	}
}

// What the template sets where nobody chooses otherwise must start the program.
func TestTheDefaultsAreAccepted(t *testing.T) {
	template := read(t, "template.yaml")
	env := map[string]string{"FILELOFT_S3_BUCKET": "bucket", "FILELOFT_DYNAMODB_TABLE": "table", "FILELOFT_EXPIRATION_TTL": "86400"}
	defaults := parameters(t, template)
	lines := regexp.MustCompile(`(?m)^ +(FILELOFT_\w+): (?:!Ref (\w+)|"(.*)")$`).FindAllStringSubmatch(template, -1)
	for _, m := range lines {
		if _, ok := env[m[1]]; ok {
			continue
		}
		value := m[3]
		if m[2] != "" {
			var ok bool
			if value, ok = defaults[m[2]]; !ok {
				t.Errorf("%s is made of %s, which is no parameter", m[1], m[2])
			}
		}
		env[m[1]] = value
	}
	var list app.Env
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	c, err := app.Load(list, map[string]string{"storage": "s3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxSize != 10<<30 || c.BasePath != "/files/" || !c.EnableExpiration || len(lines) < 10 {
		t.Errorf("the settings do not arrive: %+v", c)
	}
}

// cfn-lint lets misspelt values of these pass, and terraform knows no values at all.
func TestWhatTheLintersDoNotRead(t *testing.T) {
	for file, want := range map[string][]string{
		"template.yaml": {
			"IndexName: " + dynamostate.Index + "\n", "{AttributeName: " + dynamostate.TTLAttribute + ", Enabled: true}",
			"{ProjectionType: KEYS_ONLY}", "${Table.Arn}/index/" + dynamostate.Index + `"`,
			"!FindInMap [Expiration, !Ref ExpirationDays, Seconds]", "!FindInMap [Expiration, !Ref ExpirationDays, AbortDays]",
			"Action: lambda:InvokeFunctionUrl\n", "RouteKey: OPTIONS /{proxy+}\n", `BinaryMediaTypes: ["*/*"]`, "Timeout: 28 ",
		},
		"infra/terraform/aws/data.tf": {
			`name            = "` + dynamostate.Index + `"`, `attribute_name = "` + dynamostate.TTLAttribute + `"`,
		},
		"infra/terraform/aws/policy.tf": {"/index/" + dynamostate.Index + `"`},
	} {
		text := read(t, file)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not have %q", file, w)
			}
		}
	}
}

func TestTheDocumentationNamesEverythingThatCanBeSet(t *testing.T) {
	doc := read(t, "docs/aws.md")
	for name := range parameters(t, read(t, "template.yaml")) {
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("docs/aws.md does not name the parameter %s", name)
		}
	}
	for _, cloud := range []string{"aws", "gcp", "azure"} {
		doc := read(t, "docs/"+cloud+".md")
		for name := range variables(t, cloud) {
			if !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("docs/%s.md does not name the variable %s", cloud, name)
			}
		}
		for _, output := range matches(t, `(?m)^output "(\w+)"`, read(t, "infra/terraform/"+cloud+"/outputs.tf")) {
			if !strings.Contains(doc, "`"+output+"`") {
				t.Errorf("docs/%s.md does not name the output %s", cloud, output)
			}
		}
	}
}
