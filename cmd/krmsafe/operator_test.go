package main_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	krmsafe "github.com/krmsafe/krmsafe/cmd/krmsafe"
)

// TestConfigKeysAreClassified: a key of the operator's file that names a file is
// taken from the file's own folder and not from the current one, which is the
// tree's. Who adds a flag that takes text says here, or in the list of paths, which
// of the two it is.
func TestConfigKeysAreClassified(t *testing.T) {
	t.Parallel()
	want := []string{
		"allow-http-registry", "annotations", "attestation-type",
		"catalog", "certificate-github-workflow-name", "certificate-github-workflow-ref", "certificate-github-workflow-repository",
		"certificate-github-workflow-sha", "certificate-github-workflow-trigger",
		"certificate-identity", "certificate-identity-regexp", "certificate-oidc-issuer", "certificate-oidc-issuer-regexp",
		"compile-cache", "engine", "fail-on", "jail", "mode", "permissive-policy", "platform", "policy", "registry-token-host", "report", "require-jail", "results",
	}
	keys := krmsafe.ConfigKeys()
	got := slices.Sorted(maps.Keys(keys))
	got = slices.DeleteFunc(got, func(key string) bool { return keys[key] })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys whose values are no paths (-want +got); a path belongs into the list of paths in operatorkeys.go:\n%s", diff)
	}
}

// TestConfigKeysHoldInEveryVerb: a key holds wherever its flag is, but for the flags
// here, which share no more than the name or say where a verb writes.
func TestConfigKeysHoldInEveryVerb(t *testing.T) {
	t.Parallel()
	want := []string{
		"docker-shim --functions",     // of the program it writes
		"lock --lock-file",            // what lock writes is named by its line alone
		"policy check --require-jail", // these judge no function
		"policy doc --policy",
		"policy test --policy",
		"trust import --trusted-root",
		"trust update --timeout",
	}
	if diff := cmp.Diff(want, krmsafe.UnlikeFlags()); diff != "" {
		t.Errorf("flags that the configuration leaves alone (-want +got):\n%s", diff)
	}
}

func TestAnchored(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, value, want string }{
		{"trust", "trust.yaml", "/etc/krmsafe/trust.yaml"},
		{"trust", "/srv/trust.yaml", "/srv/trust.yaml"},
		{"key", "../keys/a.pub", "/etc/keys/a.pub"},
		{"catalog", "catalog.yaml", "/etc/krmsafe/catalog.yaml"},
		{"catalog", "builtin:catalog", "/etc/krmsafe/builtin:catalog"},
		{"catalog", "oci://ghcr.io/acme/catalog@sha256:0", "oci://ghcr.io/acme/catalog@sha256:0"},
		{"catalog", "oci-layout:catalog@sha256:0", "oci-layout:/etc/krmsafe/catalog@sha256:0"},
		{"policy", "org.rego", "/etc/krmsafe/org.rego"},
		{"policy", "builtin:strict", "builtin:strict"},
		{"policy", "oci://ghcr.io/acme/policy@sha256:0", "oci://ghcr.io/acme/policy@sha256:0"},
		{"policy", "oci-layout:policy", "oci-layout:/etc/krmsafe/policy"},
		{"policy", "oci-layout:/srv/policy", "oci-layout:/srv/policy"},
		{"audit-log", "-", "-"},
		{"audit-log", "log", "/etc/krmsafe/log"},
		{"cache-dir", "none", "none"},
		{"cache-dir", "auto", "auto"},
		{"cache-dir", "cache", "/etc/krmsafe/cache"},
		{"mode", "enforce", "enforce"},
	} {
		if got := krmsafe.Anchored(tt.key, tt.value, "/etc/krmsafe"); got != tt.want {
			t.Errorf("anchored(%q, %q) = %q, want %q", tt.key, tt.value, got, tt.want)
		}
	}
}
