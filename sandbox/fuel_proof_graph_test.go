package sandbox_test

import (
	"fmt"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

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
