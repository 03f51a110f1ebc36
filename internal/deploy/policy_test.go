package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the module's directory, seen from this package's.
const root = "../.."

func TestBothTemplatesAllowTheSame(t *testing.T) {
	sam, terraform, err := PolicyActions(root)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sam, terraform); d != "" {
		t.Errorf("template.yaml (-) and infra/terraform/aws (+) differ:\n%s", d)
	}
}

// What the drivers call, by the actions that IAM knows for it. Another test sees what goes over the wire; this one says it
// for the reader, and that neither function may do what only the other does.
func TestEachFunctionMayDoWhatItsCodeCalls(t *testing.T) {
	objects := []string{
		"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:ListMultipartUploadParts", "s3:PutObject",
	}
	common := map[string][]string{
		"s3": objects, "logs": {"logs:CreateLogStream", "logs:PutLogEvents"},
		"kms": {"kms:Decrypt", "kms:GenerateDataKey"}, "xray": {"xray:PutTelemetryRecords", "xray:PutTraceSegments"},
	}
	want := Policy{
		"endpoint": {"dynamodb": {"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}},
		"sweeper": {"dynamodb": {
			"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem",
		}},
	}
	for _, f := range want {
		for service, actions := range common {
			f[service] = actions
		}
	}
	got, _, err := PolicyActions(root)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
}

func TestTheReaderOfPoliciesIsNotBlind(t *testing.T) {
	template, policy := read(t, "template.yaml"), read(t, "infra/terraform/aws/policy.tf")
	for _, change := range []struct{ old, new string }{
		{`"s3:GetObject"`, `"s3:*"`},
		{`"dynamodb:Query"`, `"dynamodb:Scan"`},
		{`"dynamodb:PutItem", `, ``},
	} {
		sam, err := samPolicy(strings.Replace(template, change.old, change.new, 1))
		if err != nil {
			t.Fatal(err)
		}
		tf, err := terraformPolicy(strings.Replace(policy, change.old, change.new, 1))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(sam, tf); d != "" {
			t.Errorf("the same change of both is read in two ways: %s", d)
		}
		if plain, _ := samPolicy(template); cmp.Equal(sam, plain) {
			t.Errorf("%s in place of %s is not seen", change.new, change.old)
		}
	}
	if _, err := samPolicy(strings.Replace(template, "  ObjectsPolicy:", "  Others:", 1)); err == nil {
		t.Error("a policy that is not found is no error")
	}
	if _, err := terraformPolicy(strings.Replace(policy, "sweeper = [", "broom = [", 1)); err == nil {
		t.Error("statements that are not found are no error")
	}
}

func TestNoActionIsAWildcard(t *testing.T) {
	sam, _, err := PolicyActions(root)
	if err != nil {
		t.Fatal(err)
	}
	for function, services := range sam {
		for _, actions := range services {
			if i := slices.IndexFunc(actions, func(a string) bool { return strings.Contains(a, "*") }); i >= 0 {
				t.Errorf("%s may do %s", function, actions[i])
			}
		}
	}
}
