//go:build !race

package sandbox_test

const slow = 1
