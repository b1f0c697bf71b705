package oci

import "net"

// CheckPeer is what a dialer asks before it hands a connection on.
func CheckPeer(c Config, conn net.Conn, addr string) error { return c.checkPeer(conn, addr) }
