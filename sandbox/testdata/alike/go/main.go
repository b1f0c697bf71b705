// Alike is a function as Go's compiler makes them, with its runtime, collector,
// goroutines and reflection. It writes the lines of its input in order, each with a
// checksum; a line "work" doubles how often it computes what comes last.
package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

type line struct {
	Text string
	Sum  [32]byte
	Keys map[string]int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "alike:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("recovered: %v", p)
		}
	}()
	var all []line
	work := 50
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		l := line{Text: in.Text(), Keys: map[string]int{}}
		for _, f := range strings.Fields(l.Text) {
			l.Keys[f]++
		}
		all = append(all, l)
		if l.Text == "work" {
			work *= 2
		}
		if len(all) > 10_000 {
			return errors.New("too many lines")
		}
	}
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() { all[i].Sum = sha256.Sum256([]byte(all[i].Text)) })
	}
	group.Wait()
	slices.SortStableFunc(all, func(a, b line) int { return strings.Compare(b.Text, a.Text) })
	for i, l := range all {
		fmt.Printf("%4d %x %v %+v\n", i, l.Sum[:4], float64(len(l.Text))/7, l.Keys)
	}
	most := 0
	for n := 1; n < work; n++ {
		steps := 0
		for m := n; m != 1; steps++ {
			if m%2 == 0 {
				m /= 2
			} else {
				m = 3*m + 1
			}
		}
		most = max(most, steps)
	}
	fmt.Println(len(all), most)
	return in.Err()
}
