package sandbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// prove shows that a metered module can burn nothing unpaid. It walks plain
// and metered code side by side, so that each instruction is known either as
// one of the plain module or as metering of a form it can name, and builds the
// graph of the metered code on its own, down to single instructions. Then
//
//   - on every path, what was charged is at no point less than the price of
//     what was executed, by the price list of listPrice;
//   - every cycle, and every way from a function's entry to a call of another
//     function of the module, looks at the counter;
//   - nothing but metering names the counters.
func prove(plain *wasm.Module, plainBytes []byte, met *fuel.Metered) error {
	m, err := wasm.Decode(met.Module, wasm.DefaultLimits())
	if err != nil {
		return err
	}
	p := prover{plain: plain, m: m, fuel: uint32(len(plain.Globals)), depth: uint32(len(plain.Globals)) + 1}
	for i, b := range plain.Bodies {
		p.before = instructions(plainBytes[b.Code:b.End])
		after := m.Bodies[i]
		p.after = instructions(met.Module[after.Code:after.End])
		p.locals = int64(b.Locals) / 8
		if err := p.function(); err != nil {
			return fmt.Errorf("function %d: %w", plain.ImportedFunctions+i, err)
		}
	}
	return nil
}

// An instruction and where control goes from it.
type instruction struct {
	w    wasm.Walker
	cost int64 // price, negative for a charge
	look bool  // traps if the counter is below zero
	next []int
	via  []int64 // additional price of each way
	call bool
	skip int // where the metering that starts here ends
}

func instructions(code []byte) []instruction {
	var out []instruction
	w := wasm.NewWalker(code, 0)
	for w.Next() {
		out = append(out, instruction{w: w})
	}
	return out
}

type prover struct {
	plain, m      *wasm.Module
	fuel, depth   uint32
	before, after []instruction
	locals        int64
	resumes       map[int]int64 // charges for entering elsewhere, by instruction
	jumps         map[int]int32 // constant set just before a branch
	jumpLocal     map[int]uint32
}

func (p *prover) function() error {
	if err := p.align(); err != nil {
		return err
	}
	if err := p.connect(); err != nil {
		return err
	}
	if err := p.credit(); err != nil {
		return err
	}
	return p.looks()
}

func (p *prover) op(i int) wasm.Opcode {
	if i >= len(p.after) {
		return 0xffff
	}
	return p.after[i].w.Op
}

func (p *prover) global(i int, op wasm.Opcode, index uint32) bool {
	return p.op(i) == op && p.after[i].w.A == index
}

// check recognizes a look at the counter, or at both, from its last operand on.
func (p *prover) check(i int) (int, bool) {
	ok := p.op(i) == wasm.OpI64Const && p.after[i].w.Int == 0 && p.op(i+1) == 0x59 &&
		p.op(i+2) == wasm.OpIf && p.op(i+3) == wasm.OpElse && p.op(i+4) == wasm.OpUnreachable && p.op(i+5) == wasm.OpEnd
	return i + 6, ok
}

// metering recognizes the code that metering adds at i, and returns where it
// ends, what it charges and whether it looks at the counter.
func (p *prover) metering(i int) (end int, charge int64, look, ok bool) {
	switch {
	case p.global(i, wasm.OpGlobalGet, p.fuel):
		if p.op(i+1) == wasm.OpI64Const && p.op(i+2) == 0x7d && p.global(i+3, wasm.OpGlobalSet, p.fuel) {
			return i + 4, p.after[i+1].w.Int, false, true
		}
		end, ok = p.check(i + 1)
		return end, 0, true, ok
	case p.global(i, wasm.OpGlobalGet, p.depth):
		if p.op(i+1) != wasm.OpI64Const || !p.global(i+3, wasm.OpGlobalSet, p.depth) {
			return 0, 0, false, false
		}
		if p.op(i+2) == 0x7c { // given back
			return i + 4, 0, false, true
		}
		j := i + 5
		both := p.global(j, wasm.OpGlobalGet, p.fuel) && p.op(j+1) == 0x84
		if both {
			j += 2
		}
		end, ok = p.check(j)
		return end, 0, true, ok && p.op(i+2) == 0x7d && p.global(i+4, wasm.OpGlobalGet, p.depth)
	case p.op(i) == wasm.OpCall && int(p.after[i].w.A) >= len(p.plain.Functions):
		return i + 1, 0, true, true
	case p.op(i) == wasm.OpLocalTee && p.global(i+1, wasm.OpGlobalGet, p.fuel) && p.op(i+2) == wasm.OpLocalGet && p.op(i+3) == 0xad:
		j := i + 4
		if p.op(j) == wasm.OpI64Const {
			j += 2
		}
		if p.op(j) != 0x7d || !p.global(j+1, wasm.OpGlobalSet, p.fuel) || !p.global(j+2, wasm.OpGlobalGet, p.fuel) {
			return 0, 0, false, false
		}
		end, ok = p.check(j + 3)
		return end, 0, true, ok
	}
	return 0, 0, false, false
}

// align pairs the instructions of the two codes.
func (p *prover) align() error {
	p.resumes, p.jumps, p.jumpLocal = map[int]int64{}, map[int]int32{}, map[int]uint32{}
	i, wrapped := 0, false
	add := func() {
		for {
			end, charge, look, ok := p.metering(i)
			if !ok {
				return
			}
			p.after[i].cost, p.after[i].look, p.after[i].skip = -charge, look, end
			i = end
		}
	}
	for j := 0; j < len(p.before); j++ {
		add()
		b := &p.before[j]
		if p.op(i) == wasm.OpLocalGet && p.op(i+1) == wasm.OpIf && b.w.Op == wasm.OpLoop {
			if _, charge, look, ok := p.metering(i + 2); ok && !look && p.op(i+6) == wasm.OpEnd {
				p.resumes[i] = charge
				p.jumpLocal[i] = p.after[i].w.A
				p.after[i].skip = i + 7
				i += 7
				add()
			}
		}
		if p.op(i) == wasm.OpBlock && !wrapped && j == 0 && p.wrapped() {
			wrapped = true
			i++
			add()
		}
		price, _ := listPrice(p.plain, &b.w)
		switch {
		case b.w.Op == wasm.OpBrIf && p.op(i) == wasm.OpIf:
			p.after[i].cost = price
			i++
			add()
			if p.op(i) != wasm.OpBr || p.after[i].w.A != b.w.A+1 || p.op(i+1) != wasm.OpEnd {
				return fmt.Errorf("a conditional branch was rewritten into something else")
			}
			i += 2
			continue
		case b.w.Op == wasm.OpEnd && p.op(i) == wasm.OpElse:
			i++
			add()
			if p.op(i) != wasm.OpEnd {
				return fmt.Errorf("an else was added without need")
			}
		case b.w.Op == wasm.OpReturn && p.op(i) == wasm.OpBr && wrapped:
			p.after[i].cost = price
			i++
			continue
		}
		if i >= len(p.after) {
			return fmt.Errorf("the metered code is too short")
		}
		a := &p.after[i]
		if a.w.Op != b.w.Op || string(a.w.Bytes()) != string(b.w.Bytes()) {
			return fmt.Errorf("instruction %d is %#x, and %#x in the metered code", j, b.w.Op, a.w.Op)
		}
		if (a.w.Op == wasm.OpGlobalGet || a.w.Op == wasm.OpGlobalSet) && a.w.A >= p.fuel {
			return fmt.Errorf("a counter is named by the guest")
		}
		a.cost = price
		a.call = a.w.Op == wasm.OpCallIndirect || a.w.Op == wasm.OpCall && int(a.w.A) >= p.plain.ImportedFunctions
		if a.w.Op == wasm.OpBr && j >= 2 {
			set, c := &p.before[j-1].w, &p.before[j-2].w
			if set.Op == wasm.OpLocalSet && c.Op == wasm.OpI32Const {
				p.jumps[i], p.jumpLocal[i] = int32(c.Int), set.A
			}
		}
		i++
		if j == len(p.before)-1 && wrapped {
			add()
			if p.op(i) != wasm.OpEnd {
				return fmt.Errorf("the wrapper does not end")
			}
			i++
		}
	}
	if i != len(p.after) {
		return fmt.Errorf("%d metered instructions are left over", len(p.after)-i)
	}
	return nil
}

// wrapped says whether the code starts with a block that is an addition.
func (p *prover) wrapped() bool {
	return p.blocks(p.after) == p.blocks(p.before)+1
}

func (p *prover) blocks(list []instruction) int {
	n := 0
	for i := range list {
		if list[i].w.Op == wasm.OpBlock {
			n++
		}
	}
	return n
}

// connect gives each instruction its successors.
func (p *prover) connect() error {
	type open struct{ at, orElse int }
	var stack []open
	ends, elses := map[int]int{}, map[int]int{}
	inside := make([][]int, len(p.after)) // blocks around each instruction
	for i := range p.after {
		for _, o := range stack {
			inside[i] = append(inside[i], o.at)
		}
		switch p.after[i].w.Op {
		case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
			stack = append(stack, open{at: i, orElse: -1})
		case wasm.OpElse:
			elses[stack[len(stack)-1].at] = i
		case wasm.OpEnd:
			if len(stack) > 0 {
				ends[stack[len(stack)-1].at] = i
				stack = stack[:len(stack)-1]
			}
		}
	}
	last := len(p.after) - 1
	target := func(i int, depth uint32) (to, loop int) {
		around := inside[i]
		if int(depth) >= len(around) {
			return last, -1
		}
		at := around[len(around)-1-int(depth)]
		if p.after[at].w.Op == wasm.OpLoop {
			return at, at
		}
		return ends[at], -1
	}
	for i := 0; i < len(p.after); i++ {
		a := &p.after[i]
		to := func(j int, extra int64) { a.next, a.via = append(a.next, j), append(a.via, extra) }
		if charge, ok := p.resumes[i]; ok {
			table := p.table(a.skip, p.jumpLocal[i])
			if table < 0 {
				return fmt.Errorf("a charge for entering elsewhere stands before no table")
			}
			first := true
			for t := p.after[table].w.Targets(); t.Next(); {
				j, _ := target(table, t.Label)
				if first {
					to(j, 2)
				}
				to(j, 2-charge)
				first = false
			}
			i = a.skip - 1
			continue
		}
		if a.skip > 0 {
			to(a.skip, 0)
			i = a.skip - 1
			continue
		}
		switch a.w.Op {
		case wasm.OpUnreachable:
		case wasm.OpReturn:
			to(last, 0)
		case wasm.OpBr:
			j, loop := target(i, a.w.A)
			if k, ok := p.jumps[i]; ok && loop >= 0 {
				if table := p.table(loop, p.jumpLocal[i]); table >= 0 {
					left := uint32(k)
					t := p.after[table].w.Targets()
					for t.Next() && left > 0 && !t.Default {
						left--
					}
					j, _ = target(table, t.Label)
					to(j, 2)
					break
				}
			}
			to(j, 0)
		case wasm.OpBrIf:
			j, _ := target(i, a.w.A)
			to(j, 0)
			to(i+1, 0)
		case wasm.OpBrTable:
			for t := a.w.Targets(); t.Next(); {
				j, _ := target(i, t.Label)
				to(j, 0)
			}
		case wasm.OpIf:
			to(i+1, 0)
			if e, ok := elses[i]; ok {
				to(e+1, 0)
			} else {
				to(ends[i], 0)
			}
		case wasm.OpElse:
			to(ends[inside[i][len(inside[i])-1]], 0)
		default:
			if i < last {
				to(i+1, 0)
			}
		}
	}
	return nil
}

// table finds the table of jumps over a local at the head of the loop at i.
func (p *prover) table(i int, local uint32) int {
	if p.op(i) != wasm.OpLoop {
		return -1
	}
	for i++; i < len(p.after); i++ {
		switch {
		case p.after[i].skip > 0:
			return -1 // the header charges for itself
		case p.op(i) == wasm.OpBlock || p.op(i) == wasm.OpNop:
		case p.op(i) == wasm.OpLocalGet && p.after[i].w.A == local && p.op(i+1) == wasm.OpBrTable:
			return i + 1
		default:
			return -1
		}
	}
	return -1
}

// credit computes the least that is paid ahead at each instruction.
func (p *prover) credit() error {
	const unknown = int64(1) << 60
	least := make([]int64, len(p.after))
	for i := range least {
		least[i] = unknown
	}
	least[0] = -p.locals
	work, queued := []int{0}, make([]bool, len(p.after))
	for len(work) > 0 {
		i := work[0]
		work, queued[i] = work[1:], false
		a := &p.after[i]
		have := least[i] - a.cost
		if have < 0 && a.skip == 0 {
			return fmt.Errorf("instruction %d (%#x) is executed %d units before they are paid", i, a.w.Op, -have)
		}
		for n, j := range a.next {
			got := have - a.via[n]
			if got < 0 && a.skip == 0 {
				return fmt.Errorf("a jump at %d leads %d units beyond what is paid", i, -got)
			}
			if got < least[j] {
				least[j] = got
				if !queued[j] {
					work, queued[j] = append(work, j), true
				}
			}
		}
	}
	return nil
}

// looks shows that no cycle, and no way from the entry to a call, avoids
// looking at the counter.
func (p *prover) looks() error {
	state := make([]byte, len(p.after)) // 0 new, 1 on the stack, 2 done
	reached := make([]bool, len(p.after))
	reached[0] = true
	for work := []int{0}; len(work) > 0; {
		i := work[0]
		work = work[1:]
		for _, j := range p.after[i].next {
			if !reached[j] {
				reached[j] = true
				work = append(work, j)
			}
		}
	}
	type visit struct{ at, next int }
	for root := range p.after {
		if state[root] != 0 || p.after[root].look || !reached[root] {
			continue
		}
		stack := []visit{{at: root}}
		state[root] = 1
		for len(stack) > 0 {
			v := &stack[len(stack)-1]
			a := &p.after[v.at]
			if root == 0 && a.call {
				return fmt.Errorf("the call at %d is reached without a look at the counter", v.at)
			}
			if v.next == len(a.next) {
				state[v.at] = 2
				stack = stack[:len(stack)-1]
				continue
			}
			j := a.next[v.next]
			v.next++
			switch {
			case p.after[j].look:
			case state[j] == 1:
				return fmt.Errorf("the cycle through %d never looks at the counter", j)
			case state[j] == 0:
				state[j] = 1
				stack = append(stack, visit{at: j})
			}
		}
	}
	return nil
}

// TestFuelProof proves every module of the official testsuite, and generated ones.
func TestFuelProof(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(specDir(t), "v2", "testdata", "*.wasm"))
	if err != nil || len(files) < 1000 {
		t.Fatalf("the official testsuite is incomplete: %d modules, %v", len(files), err)
	}
	var modules [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, b)
	}
	for seed := range uint64(3000) {
		modules = append(modules, generate(seed))
	}
	modules = append(modules, forgedDispatch(), leafStorm(), callTree(9))
	proved := 0
	for i, module := range modules {
		m, err := wasm.Decode(module, wasm.DefaultLimits())
		if err != nil {
			continue // the suite has modules that must be refused
		}
		for _, opt := range []fuel.Options{{}, {Exact: true}} {
			met, err := fuel.Instrument(m, module, opt)
			if err != nil {
				t.Fatal(err)
			}
			if err := prove(m, module, met); err != nil {
				name := fmt.Sprintf("generated %d", i-len(files))
				if i < len(files) {
					name = filepath.Base(files[i])
				}
				t.Errorf("%s: %v", name, err)
			}
		}
		proved++
	}
	if proved < 3000+1500 {
		t.Errorf("only %d modules were proved", proved)
	}
	t.Logf("%d modules proved", proved)
}

// TestFuelProofSeesACheapCharge lowers charges one at a time, by one unit: the
// proof must fail each time.
func TestFuelProofSeesACheapCharge(t *testing.T) {
	changed := 0
	for seed := range uint64(20) {
		module := generate(seed)
		m, err := wasm.Decode(module, wasm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		met, err := fuel.Instrument(m, module, fuel.Options{Exact: true})
		if err != nil {
			t.Fatal(err)
		}
		after, err := wasm.Decode(met.Module, wasm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range after.Bodies {
			list := instructions(met.Module[b.Code:b.End])
			p := prover{plain: m, fuel: uint32(len(m.Globals)), depth: uint32(len(m.Globals)) + 1, after: list}
			for i := range list {
				end, charge, _, ok := p.metering(i)
				if !ok || end != i+4 || charge < 1 || charge > 63 || !p.global(i, wasm.OpGlobalGet, p.fuel) {
					continue
				}
				at := b.Code + list[i+1].w.Imm
				met.Module[at]--
				if err := prove(m, module, met); err == nil {
					t.Errorf("seed %d: a charge of %d was lowered and nobody saw it", seed, charge)
				}
				met.Module[at]++
				changed++
			}
		}
	}
	if changed < 100 {
		t.Errorf("only %d charges were changed", changed)
	}
}
