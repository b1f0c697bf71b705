package sandbox

import (
	"errors"
	"fmt"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// compiled is what a child makes of a module for later runs, which neither decode
// nor validate the module again: machine code, the memory that its data segments
// would make, and a stub. The stub is the metered module with every body replaced
// by one unreachable instruction: the engine needs a module's types, imports,
// exports, globals, tables and elements to instantiate it, and not its code, once
// it has that in the machine's words.
type compiled struct {
	stub []byte
	// prefix and suffix are what the engine's own file of compiled code holds
	// before and after the machine code.
	prefix, code, suffix []byte
	image                []byte // empty where the stub holds the data itself
	names                counterNames
	tables               []wasm.Table
}

// counterNames are the names that metering chose.
type counterNames struct{ fuel, depth, start string }

// imageSlack bounds how much larger than the data the memory made of it may be.
const imageSlack = 1 << 20

// makeStub gives the stub of a metered module and the memory's initial content. A
// module whose data cannot be laid out ahead keeps it: with segments that are not
// active, that code names, that lie where an import says, or that do not fit, in
// which case the stub traps as the module does.
func makeStub(module []byte, minPages uint32) (stub, image []byte, err error) {
	image, laidOut, err := layOut(module, minPages)
	if err != nil {
		return nil, nil, err
	}
	stub = wasm.AppendHeader(nil)
	r := wasm.NewReader(module, 0)
	r.Bytes(wasm.HeaderBytes)
	for r.Left() > 0 {
		start := r.Offset()
		id := wasm.SectionID(r.Byte())
		payload := r.Bytes(r.U32())
		if err := r.Err(); err != nil {
			return nil, nil, err
		}
		switch {
		case id == wasm.SectionCode:
			body := wasm.NewReader(payload, 0)
			count := body.U32()
			code := wasm.AppendU32(nil, count)
			for range count {
				code = append(code, 3, 0, byte(wasm.OpUnreachable), byte(wasm.OpEnd))
			}
			stub = wasm.AppendSection(stub, id, code)
		case laidOut && (id == wasm.SectionData || id == wasm.SectionDataCount):
		default:
			stub = append(stub, module[start:r.Offset()]...)
		}
	}
	return stub, image, nil
}

// layOut makes the initial memory of a module's data segments, in order, as the
// instantiation would (core specification 4.5.4).
func layOut(module []byte, minPages uint32) (image []byte, ok bool, err error) {
	data, named, err := dataSection(module)
	if err != nil || named {
		return nil, false, err
	}
	type segment struct {
		at    uint64
		bytes []byte
	}
	var segments []segment
	var end, total uint64
	r := wasm.NewReader(data, 0)
	for left := count(&r); left > 0; left-- {
		if r.U32() != 0 || r.Byte() != opI32Const { // not active in memory 0, or not at a constant
			return nil, false, nil
		}
		at := uint64(uint32(r.S32())) //nolint:gosec // G115: an address is unsigned
		if wasm.Opcode(r.Byte()) != wasm.OpEnd {
			return nil, false, nil
		}
		s := segment{at: at, bytes: r.Bytes(r.U32())}
		if err := r.Err(); err != nil {
			return nil, false, err
		}
		segments = append(segments, s)
		end = max(end, at+uint64(len(s.bytes)))
		total += uint64(len(s.bytes))
	}
	if end > uint64(minPages)*65536 || end > 4*total+imageSlack {
		return nil, false, nil
	}
	image = make([]byte, end)
	for _, s := range segments {
		copy(image[s.at:], s.bytes)
	}
	return image, true, r.Err()
}

func count(r *wasm.Reader) uint32 {
	if r.Left() == 0 {
		return 0
	}
	return r.U32()
}

const opI32Const = 0x41

// dataSection gives the data section's payload, and whether code may name segments:
// it can only where the module counts them ahead (core specification 5.5.17).
func dataSection(module []byte) (payload []byte, named bool, err error) {
	r := wasm.NewReader(module, 0)
	r.Bytes(wasm.HeaderBytes)
	for r.Left() > 0 {
		id := wasm.SectionID(r.Byte())
		section := r.Bytes(r.U32())
		switch id {
		case wasm.SectionData:
			payload = section
		case wasm.SectionDataCount:
			named = true
		}
	}
	return payload, named, r.Err()
}

// check sees that a stub's parts fit together, before anything is mapped.
func (c *mappedCode) check(bulkBytes int64) error {
	if c.codeBytes < 0 || c.imageBytes < 0 || c.codeBytes > bulkBytes || c.imageBytes > bulkBytes ||
		wholePages(c.codeBytes)+wholePages(c.imageBytes) != bulkBytes {
		return fmt.Errorf("%d bytes of code and %d of memory are not %d in all", c.codeBytes, c.imageBytes, bulkBytes)
	}
	if len(c.stub) == 0 || c.names.fuel == "" || c.names.depth == "" {
		return errors.New("the stub or its counters are not there")
	}
	return nil
}

// filePageBytes is the unit in which a file can be mapped, whatever the machine's
// pages are.
const filePageBytes = 1 << 16

func wholePages(n int64) int64 { return (n + filePageBytes - 1) &^ (filePageBytes - 1) }
