//go:build race

package sandbox_test

// slow is how many times slower and hungrier the race detector makes a child.
const slow = 12
