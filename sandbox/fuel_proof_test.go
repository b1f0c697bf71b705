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
		if a.w.Op != b.w.Op || string(a.w.Bytes()) != string(b.w.Bytes()) && !trimmed(&a.w, &b.w) {
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

// trimmed says whether a is b with shorter numbers.
func trimmed(a, b *wasm.Walker) bool {
	same := false
	switch op := a.Op; {
	case op == wasm.OpCall, op == wasm.OpGlobalGet, op == wasm.OpGlobalSet:
		same = a.A == b.A
	case op == wasm.OpI32Const, op == wasm.OpI64Const:
		same = a.Int == b.Int
	case op == wasm.OpCallIndirect, op >= 0x28 && op <= 0x3e: // loads and stores
		same = a.A == b.A && a.B == b.B
	}
	return same && len(a.Bytes()) < len(b.Bytes())
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
	for _, name := range []string{"c.wasm", "rust.wasm"} { // with numbers that are cut
		modules = append(modules, readFile(t, filepath.Join("testdata", "alike", name)))
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
