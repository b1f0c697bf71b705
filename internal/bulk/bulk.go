// Package bulk makes memory for what is large and read once: modules of tens of
// megabytes. A kernel that backs such memory with huge pages where it is asked to
// takes thousands of page faults fewer, which are most of what reading a file
// that is in its cache costs.
package bulk

// least is how large memory must be for huge pages to be worth asking for.
const least = 4 << 20

// Make gives n zero bytes that the collector owns, like any others. It may be
// called concurrently.
func Make(n int) []byte {
	b := make([]byte, n)
	if n >= least {
		advise(b)
	}
	return b
}
