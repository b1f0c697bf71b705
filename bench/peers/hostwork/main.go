// Command hostwork does what krmsafe does with a ResourceList around a function,
// through package krm alone: it reads the list, makes what the function sees with
// placeholders in Secrets, reads and compares the answer, and writes what leaves.
// The function is a few lines of its own that change none, every tenth or every
// resource, as text.
//
//	hostwork EVERY <input >output
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"

	"github.com/krmsafe/krmsafe/internal/krm"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "hostwork:", err)
		os.Exit(1)
	}
}

func run(word string) error {
	every, err := strconv.Atoi(word)
	if err != nil {
		return err
	}
	var input bytes.Buffer
	if _, err := input.ReadFrom(os.Stdin); err != nil {
		return err
	}
	list, err := krm.Parse(input.Bytes(), krm.DefaultLimits())
	if err != nil {
		return err
	}
	exchange, err := krm.NewExchange(list, krm.View{}, rand.Reader)
	if err != nil {
		return err
	}
	out, err := exchange.Output(annotate(exchange.Input(), every), krm.DefaultLimits())
	if err != nil {
		return err
	}
	if every > 0 && len(out.Changes) < len(list.Items)/every {
		return fmt.Errorf("%d changes, want a change of every %d of %d resources", len(out.Changes), every, len(list.Items))
	}
	text, err := out.List.Encode()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

// annotate adds a label to every so-manieth resource.
func annotate(in []byte, every int) []byte {
	if every == 0 {
		return in
	}
	parts := bytes.SplitAfter(in, []byte("\n  metadata:\n"))
	var b bytes.Buffer
	b.Grow(len(in) + len(in)/4)
	for i, p := range parts {
		b.Write(p)
		if i < len(parts)-1 && i%every == 0 {
			b.WriteString("    generateName: team-a\n")
		}
	}
	return b.Bytes()
}
