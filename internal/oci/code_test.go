package oci_test

import (
	"net/http"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
)

// A registry without the Referrers API, which lets nobody delete anything, as distribution
// is by default: code is published beside the function's signature, and both are found.
func TestPushCodeBesideASignature(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	s.tagged(s.bundle)
	s.reg.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			registry.Fail(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
			return true
		}
		return false
	}
	c := client(t, config())
	for _, key := range []string{"one machine", "another machine", "one machine"} {
		reference, digest, err := c.PushCode(t.Context(), mustFetch(t, config(), s.ref()), key, []byte("code for "+key))
		if err != nil || reference != s.reg.Host+"/"+repo+"@"+digest {
			t.Fatalf("PushCode for %s = %s, %s, %v", key, reference, digest, err)
		}
	}
	a := mustFetch(t, config(), s.ref())
	if len(a.Evidence) != 1 || a.Evidence[0].Source != oci.FromReferrersTag {
		t.Errorf("the function's evidence is %s, want its signature in the fallback tag", kinds(a))
	}
	for _, key := range []string{"one machine", "another machine"} {
		found, err := c.FindCode(t.Context(), a, key)
		if err != nil || len(found) != 1 {
			t.Fatalf("FindCode for %s = %+v, %v, want one", key, found, err)
		}
		if got, err := c.ReadCode(t.Context(), found[0]); err != nil || string(got) != "code for "+key {
			t.Errorf("ReadCode for %s = %q, %v", key, got, err)
		}
	}
	if tags := s.reg.Tags(repo); len(tags) != 2 || tags[0] != layout.FallbackTag(s.top.Digest) {
		t.Errorf("the tags are %v, want the function's and its fallback", tags)
	}
}
