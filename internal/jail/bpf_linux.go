//go:build linux && (amd64 || arm64)

package jail

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// verdict is what a filter does with a system call.
type verdict uint32

const (
	allow       verdict = unix.SECCOMP_RET_ALLOW
	killProcess verdict = unix.SECCOMP_RET_KILL_PROCESS
	// next, as rule.otherwise, leaves the decision to the next rule for the same
	// system call. It is no action that the kernel knows.
	next verdict = 0x7fff_fffe
)

// deny answers a system call with an error number.
func deny(errno unix.Errno) verdict {
	return verdict(unix.SECCOMP_RET_ERRNO | uint32(errno)&unix.SECCOMP_RET_DATA) //nolint:gosec // G115: error numbers are small
}

// check is a condition on one argument: (arg & mask) is one of values, in the
// low 32 bits; the high 32 bits must be zero where wide is set.
type check struct {
	arg    uint32
	mask   uint32
	values []uint32
	wide   bool
}

// rule says what happens to one system call: then where every check holds,
// otherwise otherwise.
type rule struct {
	nr        uint32
	checks    []check
	then      verdict
	otherwise verdict
}

// Offsets in struct seccomp_data; both supported machines are little-endian.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

func ld(off uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
}

func ret(v verdict) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: uint32(v)}
}

func jump(code uint16, k uint32, onTrue, onFalse int) unix.SockFilter {
	//nolint:gosec // G115: assemble checks that a block stays below 255 instructions
	return unix.SockFilter{Code: unix.BPF_JMP | code | unix.BPF_K, K: k, Jt: uint8(onTrue), Jf: uint8(onFalse)}
}

// assemble makes a filter of rules: the first rule for a system call decides,
// unless it leaves that to the next; what has none meets rest. A foreign architecture, and on amd64 the x32 table,
// is killed.
func assemble(rules []rule, rest verdict) ([]unix.SockFilter, error) {
	prog := []unix.SockFilter{ld(offArch), jump(unix.BPF_JEQ, auditArch, 1, 0), ret(killProcess), ld(offNr)}
	if runtime.GOARCH == "amd64" {
		prog = append(prog, jump(unix.BPF_JGE, 0x40000000, 0, 1), ret(killProcess))
	}
	for _, r := range rules {
		block := r.block()
		if len(block) > 250 {
			return nil, fmt.Errorf("rule for system call %d is too long", r.nr)
		}
		prog = append(prog, jump(unix.BPF_JEQ, r.nr, 0, len(block)))
		prog = append(prog, block...)
	}
	prog = append(prog, ret(rest))
	if len(prog) > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("%d instructions, the kernel takes %d", len(prog), unix.BPF_MAXINSNS)
	}
	return prog, nil
}

// block is a rule's code after its number has matched; it returns, or where it
// leaves the decision to the next rule goes on behind its end with the number
// loaded again.
func (r rule) block() []unix.SockFilter {
	var out []unix.SockFilter
	refused := ret(r.otherwise)
	if r.otherwise == next {
		refused = unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA} // its distance is set below
	}
	for _, c := range r.checks {
		if c.wide {
			out = append(out, ld(offArgs+8*c.arg+4), jump(unix.BPF_JEQ, 0, 1, 0), refused)
		}
		out = append(out, ld(offArgs+8*c.arg))
		if c.mask != ^uint32(0) {
			out = append(out, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask})
		}
		for i, v := range c.values {
			out = append(out, jump(unix.BPF_JEQ, v, len(c.values)-i, 0))
		}
		out = append(out, refused)
	}
	out = append(out, ret(r.then))
	if r.otherwise != next {
		return out
	}
	for i := range out {
		if out[i].Code == refused.Code {
			out[i].K = uint32(len(out) - i - 1) //nolint:gosec // G115: assemble bounds a block
		}
	}
	return append(out, ld(offNr))
}

// install puts a filter on every thread. A positive result names a thread that
// could not follow, which is a failure too.
func install(prog []unix.SockFilter) error {
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]} //nolint:gosec // G115: assemble bounds it
	//nolint:gosec // G103: the program is passed by address
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if r != 0 {
		return fmt.Errorf("seccomp: thread %d did not follow", r)
	}
	return nil
}
