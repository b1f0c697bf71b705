//go:build linux

package sealed

// SetUser makes this user another one, until restore is called.
func SetUser(uid int) (restore func()) {
	before := euid
	euid = func() int { return uid }
	return func() { euid = before }
}
