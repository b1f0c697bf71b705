package report_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
)

func refusal() *policy.Explanation {
	return &policy.Explanation{
		Package:  "krmsafe.admit",
		Decision: policy.Decision{Policy: "sha256:33333333333333333333"},
		Reasons: []policy.ExplainedReason{
			{
				Reason: policy.Reason{ID: "limits.memory", Message: "the module starts with 9000 pages", Remedy: "raise limits.memoryPages"},
				Rules: []policy.ExplainedRule{{
					File: "lib/limits/limits.rego", Row: 18, Rule: "krmsafe.lib.limits._memory(limits)", Title: "The module's memory fits",
					Facts: []policy.Fact{{Path: "input.module.memory.minPages", Value: "9000"}},
				}},
			},
			{Reason: policy.Reason{ID: "policy.undefined", Message: "the policy says nothing of allow"}},
			{Reason: policy.Reason{ID: "org.computed", Message: "its id is made of other things"}},
			{
				Reason: policy.Reason{ID: evil, Message: evil, Remedy: evil},
				Rules:  []policy.ExplainedRule{{File: evil, Row: 1, Rule: evil, Title: evil, Facts: []policy.Fact{{Path: evil, Value: evil}}}},
			},
		},
		Warnings: []policy.ExplainedReason{{Reason: policy.Reason{ID: "org.big", Message: "the module is large"}, Rules: []policy.ExplainedRule{{File: "org.rego", Row: 3, Rule: "krmsafe.admit.warnings"}}}},
	}
}

func permission() *policy.Explanation {
	apps := []policy.KindGrant{{Group: "apps", Kind: "Deployment"}, {Kind: "ConfigMap"}}
	return &policy.Explanation{
		Package: "krmsafe.admit",
		Decision: policy.Decision{
			Allow: true, Policy: "sha256:33333333333333333333", Engine: policy.EngineAuto, Jail: policy.JailFull, Grants: policy.Grants{Clock: true},
			Limits: policy.Limits{
				MemoryPages: 512, TableElements: 1000, CallDepth: 100, Fuel: 1000000, Timeout: 10 * time.Second, CompileTimeout: 5 * time.Second,
				CompileBytes: 1 << 30, OutputBytes: 1 << 20, StderrBytes: 4096,
			},
			View: policy.View{Secrets: policy.SecretsHidden, Match: []policy.Selector{{Kind: evil}}, Exclude: []policy.Selector{{Kind: "a"}, {Kind: "b"}}},
			Changes: policy.ChangeGrant{
				Only: []string{"images", evil}, Add: apps, Remove: apps[1:], Protected: apps[:1], Fields: []policy.FieldGrant{{Group: "apps", Kind: evil, Pointer: "/spec/" + evil}},
			},
		},
	}
}

func TestExplanation(t *testing.T) {
	for name, e := range map[string]*policy.Explanation{"refused": refusal(), "allowed": permission()} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Explanation(&b, e, "org.rego"); err != nil {
				t.Fatal(err)
			}
			golden(t, "explain-"+name+".txt", b.Bytes())
			if bytes.ContainsAny(b.Bytes(), "\x1b\u202e") || bytes.Contains(b.Bytes(), []byte("##[")) || bytes.Contains(b.Bytes(), []byte("\n::")) {
				t.Errorf("foreign text is a command:\n%s", b.Bytes())
			}
		})
	}
}
