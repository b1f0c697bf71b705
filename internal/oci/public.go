package oci

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// checkPublic refuses references into the machine or its network where only public registries are wanted. Mirrors and plain-HTTP
// registries are the operator's own choice and stay allowed.
func (c Config) checkPublic(ref Ref) error {
	if !c.PublicOnly || ref.Source != SourceRegistry {
		return nil
	}
	if host, _ := c.located(ref); !isInternal(host) || c.chosen(host) {
		return nil
	}
	return &RegistryError{
		Code: "registry.private", Registry: ref.Registry, Op: "opening " + ref.String(), Message: "it is on a loopback or private address, which is not allowed here",
		Hint: "references found in resources may name public registries only; give this one on the command line, or list the registry as a mirror",
	}
}

// carrierGrade is the shared address space of RFC 6598, in which some clouds keep their metadata service.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// private reports addresses that are not on the public internet.
func private(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || unroutable(ip) || carrierGrade.Contains(ip)
}

// chosen reports a host that the operator's own configuration names.
func (c Config) chosen(hostport string) bool {
	return slices.ContainsFunc(c.Mirrors, func(m Mirror) bool {
		host, _, _ := strings.Cut(m.Location, "/")
		return host == hostport || hostname(host) == hostport
	}) || slices.Contains(c.PlainHTTP, hostport)
}

// checkPeer looks at where a connection has led, before a word is said. The check is made on the address itself, so a name server
// that changes its mind between two questions gains nothing. Behind a proxy it is the proxy that connects, and that decides.
func (c Config) checkPeer(conn net.Conn, addr string) error {
	peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return errors.Join(fmt.Errorf("connecting to %q: no IP address at the other end", addr), conn.Close())
	}
	ip := peer.Addr().Unmap()
	if unroutable(ip) {
		return errors.Join(fmt.Errorf("%q leads to the link-local address %s", addr, ip), conn.Close())
	}
	if c.PublicOnly && c.Proxy == nil && private(ip) && !c.chosen(addr) && !c.chosen(hostname(addr)) {
		return errors.Join(fmt.Errorf("%q leads to the private address %s", addr, ip), conn.Close())
	}
	return nil
}
