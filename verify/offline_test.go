package verify_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

type noNetwork struct{ used *atomic.Int64 }

func (n noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	n.used.Add(1)
	return nil, errors.New("there is no network")
}

// Verification asks nobody anything: no log, no update repository, no issuer.
// The libraries below can, through Go's default client and resolver.
func TestVerifyUsesNoNetwork(t *testing.T) {
	var used atomic.Int64
	transport, resolver := http.DefaultTransport, net.DefaultResolver
	http.DefaultTransport = noNetwork{&used}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		used.Add(1)
		return nil, errors.New("there is no network")
	}}
	t.Cleanup(func() { http.DefaultTransport, net.DefaultResolver = transport, resolver })

	policy := loopback(t, keyAuthority(t, "offline", "cosign3-key.pub"), identity("ci", loopbackGitHub, loopbackWorkflow), identity("dev", loopbackMail, "dev@example.com"))
	policy.Root.PublicGood = true
	policy.Rules[0].AnyRepository = true
	v := newVerifier(t, policy)
	sockets := countSockets(t)
	for _, name := range []string{"cosign3-key", "cosign3-keyless", "cosign2-legacy", "cosign-rekor1"} {
		l := readLayout(t, name)
		accepted(t, v, verify.Subject{Reference: "127.0.0.1:15001/fns/x:v1", Digest: l.digest}, l.bundles...)
		_ = refused(t, v, verify.Subject{Reference: "127.0.0.1:15001/fns/x:v1", Digest: digest}, l.bundles...)
	}
	if n := used.Load(); n != 0 {
		t.Errorf("the network was used %d times", n)
	}
	if now := countSockets(t); now != sockets {
		t.Errorf("there were %d sockets, now there are %d", sockets, now)
	}
}

func countSockets(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux: the two hooks above have to do
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
