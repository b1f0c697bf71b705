package stamp

import "github.com/krmsafe/krmsafe/internal/testkit/asm"

// defineScan adds the function that looks at the first column of every line. There, and
// only there, stand the keys of the top level: whatever is nested in block style,
// multi-line strings included, is indented. So the scan need not understand more.
//
// It counts the items, notes where a list of results starts, and refuses what is not
// one ResourceList in block style: JSON, a second document, a quoted key, a missing
// newline at the end. What it cannot be sure of, it does not touch.
func (b *builder) defineScan() uint32 {
	const (
		at, mark       = 0, 1 // the start of the line, and a place within it
		list, indented = 2, 3 // kind and items were seen
		within, indent = 4, 5 // inside items, and the column of its dashes or -1
	)
	notList := b.refuse("the input is not a ResourceList in block style")
	line := func(text string) []byte { return seq(asm.Get(at), b.span(text), asm.Call(b.match)) }
	yes := func(local uint32) []byte { return seq(num(1), asm.Set(local)) }

	key := seq(
		num(0), asm.Set(within),
		line("kind: ResourceList\n"), when(yes(list)),
		line("items: []\n"), when(yes(indented)),
		line("items:\n"), when(yes(indented), yes(within), num(-1), asm.Set(indent)),
		line("results:"), when(
			// A second key of the name, or a value on the same line.
			line("results:\n"), asm.I32Eqz, global(b.after), either, when(notList),
			asm.Get(at), num(int32(len("results:\n"))), asm.I32Add, setGlobal(b.after)))
	first := seq(
		byteAt(asm.Get(at)), asm.Set(mark),
		// An unsigned comparison after the subtraction checks both ends of the range.
		sub(asm.Get(mark), num('a')), num(26), below,
		asm.If(asm.Empty, key, asm.Else,
			eq(asm.Get(mark), num(' ')), eq(asm.Get(mark), num('\n')), either,
			eq(asm.Get(mark), num('#')), either, eq(asm.Get(mark), num('-')), either,
			asm.I32Eqz, when(notList),
			// A document may start on the first line and nowhere else.
			line("--"), ne(asm.Get(at), num(inputAt)), both, when(notList)))
	count := when(
		asm.Get(at), asm.Set(mark),
		asm.Loop(asm.Empty,
			eq(byteAt(asm.Get(mark)), num(' ')),
			asm.If(asm.Empty, inc(mark), asm.Br(1))),
		eq(byteAt(asm.Get(mark)), num('-')), when(
			eq(asm.Get(indent), num(-1)), when(sub(asm.Get(mark), asm.Get(at)), asm.Set(indent)),
			eq(sub(asm.Get(mark), asm.Get(at)), asm.Get(indent)), when(bump(b.items))))

	return b.m.Func(nil, nil, asm.Types{asm.I32, asm.I32, asm.I32, asm.I32, asm.I32, asm.I32},
		ne(byteAt(sub(global(b.end), num(1))), num('\n')), when(notList),
		num(inputAt), asm.Set(at),
		asm.Loop(asm.Empty,
			first,
			asm.Get(within), count,
			asm.Loop(asm.Empty, // to the start of the next line; the last byte is a newline
				ne(byteAt(asm.Get(at)), num('\n')), inc(at), asm.BrIf(0)),
			ne(asm.Get(at), global(b.end)), asm.BrIf(0)),
		asm.Get(list), asm.Get(indented), both, asm.I32Eqz, when(notList))
}
