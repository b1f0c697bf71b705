package jail

import (
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// Processor names the features of this processor that machine code made on it may
// rely on, sorted, so that code is not taken to one that lacks some.
func Processor() string {
	var names []string
	add := func(name string, have bool) {
		if have {
			names = append(names, name)
		}
	}
	switch runtime.GOARCH {
	case "amd64":
		x := cpu.X86
		add("avx", x.HasAVX)
		add("bmi1", x.HasBMI1)
		add("bmi2", x.HasBMI2)
		add("popcnt", x.HasPOPCNT)
		add("sse3", x.HasSSE3)
		add("sse41", x.HasSSE41)
		add("sse42", x.HasSSE42)
		add("ssse3", x.HasSSSE3)
	case "arm64":
		a := cpu.ARM64
		add("asimd", a.HasASIMD)
		add("atomics", a.HasATOMICS)
	}
	return strings.Join(names, " ")
}
