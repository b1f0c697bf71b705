package version

import "os"

// Read reads what Go's linker wrote into the executable at path. It is false for
// what is not a little-endian ELF file of 64 bits that Go 1.18 or later linked
// with module support.
func Read(path string) (Info, bool) {
	f, err := os.Open(path) //nolint:gosec // G304: this program
	if err != nil {
		return Info{}, false
	}
	defer f.Close() //nolint:errcheck // it was only read from
	head := make([]byte, 4096)
	n, _ := f.ReadAt(head, 0) // what was not read is not found
	for _, offset := range writable(head[:n]) {
		data := make([]byte, maxInfoBytes)
		n, _ := f.ReadAt(data, offset)
		if text, ok := moduleText(data[:n]); ok {
			return parse(text)
		}
	}
	return Info{}, false
}

// maxInfoBytes is three times what the list of krmsafe's modules takes.
const maxInfoBytes = 64 << 10

// writable gives the offsets of the segments that are loaded writable: the
// linker's note stands at the start of one (System V ABI, "Program Header").
func writable(head []byte) []int64 {
	const (
		ident   = "\x7fELF\x02\x01" // 64 bits, little-endian
		load    = 1
		write   = 2
		entries = 56 // where the number of program headers stands
	)
	if len(head) < 64 || string(head[:len(ident)]) != ident {
		return nil
	}
	var offsets []int64
	at, size := number(head[32:40]), number(head[54:56])
	for range number(head[entries : entries+2]) {
		if size < 56 || at > uint64(len(head)) || size > uint64(len(head))-at {
			break
		}
		p := head[at : at+size]
		if offset := number(p[8:16]); number(p[:4]) == load && number(p[4:8])&write != 0 && offset < 1<<40 {
			offsets = append(offsets, int64(offset))
		}
		at += size
	}
	return offsets
}

// number reads a little-endian number.
func number(b []byte) uint64 {
	n := uint64(0)
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

// moduleText finds the linker's note in a segment: 32 bytes that begin with a
// magic and tell by a bit that two strings follow, Go's version and the list of
// modules within marks of 16 bytes (debug/buildinfo reads the same).
func moduleText(segment []byte) (string, bool) {
	const magic, header, mark = "\xff Go buildinf:", 32, 16
	for at := 0; at+header <= len(segment); at += 16 {
		if string(segment[at:at+len(magic)]) != magic || segment[at+15]&2 == 0 {
			continue
		}
		_, rest, ok := cut(segment[at+header:])
		if !ok {
			return "", false
		}
		text, _, ok := cut(rest)
		if !ok || len(text) < 2*mark {
			return "", false
		}
		return text[mark : len(text)-mark], true
	}
	return "", false
}

// cut splits off a string that its length precedes, seven bits to a byte.
func cut(b []byte) (string, []byte, bool) {
	n := uint64(0)
	for i := 0; i < len(b) && i < 4; i++ {
		n |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] >= 0x80 {
			continue
		}
		if rest := b[i+1:]; n <= uint64(len(rest)) {
			return string(rest[:n]), rest[n:], true
		}
		break
	}
	return "", nil, false
}

// parse reads the lines of the list that name this module and Engines.
func parse(text string) (Info, bool) {
	info := Info{Modules: map[string]string{}}
	found := false
	for text != "" {
		var line string
		line, text = before(text, '\n')
		kind, rest := before(line, '\t')
		path, rest := before(rest, '\t')
		version, _ := before(rest, '\t')
		switch kind {
		case "mod":
			info.Version, found = version, true
		case "dep":
			for _, e := range Engines() {
				if e == path {
					info.Modules[path] = version
				}
			}
		}
	}
	return info, found
}

// before splits s at the first c.
func before(s string, c byte) (string, string) {
	for i := range len(s) {
		if s[i] == c {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
