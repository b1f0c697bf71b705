//go:build !linux || !(amd64 || arm64)

package jail

// Harden does nothing here: only Linux is hardened.
func Harden() error { return nil }
