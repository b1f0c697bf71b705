// Command gosort sorts integers and strings with the standard library.
package main

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

func main() {
	seed := uint32(1)
	next := func() uint32 {
		seed = seed*1664525 + 1013904223
		return seed >> 8
	}
	check := uint32(0)
	for range 2 {
		ints := make([]uint32, 60000)
		for i := range ints {
			ints[i] = next()
		}
		slices.SortFunc(ints, func(a, b uint32) int { return cmp.Compare(a, b) })
		names := make([]string, 20000)
		for i := range names {
			names[i] = fmt.Sprintf("ns-%d/name-%d", next()%50, next())
		}
		sort.Strings(names)
		check ^= ints[len(ints)/2] ^ uint32(len(names[7]))
	}
	fmt.Println(check)
}
