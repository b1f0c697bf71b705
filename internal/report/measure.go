package report

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// A Measurement is what one run used, and the limits that follow from it: what a
// policy should grant, with room for inputs that are larger than this one.
type Measurement struct {
	Function  pipeline.Function `json:"function"`
	Items     int               `json:"items"`
	Used      Used              `json:"used"`
	Suggested Suggested         `json:"suggested"`
}

// Used is what the run took. Fuel and memory are the same at every run and on
// every machine; the time is not.
type Used struct {
	Fuel        uint64        `json:"fuel"`
	MemoryPages uint32        `json:"memoryPages"`
	OutputBytes int64         `json:"outputBytes"`
	StderrBytes int64         `json:"stderrBytes"`
	Wall        time.Duration `json:"wallNanoseconds"`
}

// Suggested are limits as a policy writes them.
type Suggested struct {
	Fuel        uint64 `json:"fuel"`
	MemoryPages uint32 `json:"memoryPages"`
	OutputBytes int64  `json:"outputBytes"`
	StderrBytes int64  `json:"stderrBytes"`
	Timeout     string `json:"timeout"`
}

// NewMeasurement derives a suggestion from a report whose function ran: four
// times the fuel, output and time, twice the memory, each rounded up.
func NewMeasurement(r *pipeline.Report) Measurement {
	m := Measurement{Function: r.Function, Items: r.Input.Items}
	if r.Run == nil {
		return m
	}
	m.Used = Used{
		Fuel: r.Run.Fuel, MemoryPages: r.Run.MemoryPages, OutputBytes: max(r.Output.Bytes, r.Input.Bytes),
		StderrBytes: int64(len(r.Run.Stderr)), Wall: r.Run.Wall,
	}
	m.Suggested = Suggested{
		Fuel:        roundUp(4 * m.Used.Fuel),
		MemoryPages: min(uint32(roundUp(2*uint64(m.Used.MemoryPages))), 65536),  // #nosec G115 -- at most 131072 before
		OutputBytes: int64(roundUp(uint64(4 * max(m.Used.OutputBytes, 1<<18)))), // #nosec G115 -- bounded by Limits.OutputBytes
		StderrBytes: int64(roundUp(uint64(4 * max(m.Used.StderrBytes, 1<<14)))), // #nosec G115 -- bounded by Limits.StderrBytes
		Timeout:     max((4 * m.Used.Wall).Round(time.Second), 5*time.Second).String(),
	}
	return m
}

// roundUp gives the next number with two significant digits.
func roundUp(n uint64) uint64 {
	if n < 100 {
		return n
	}
	unit := uint64(math.Pow10(len(fmt.Sprint(n)) - 2))
	return (n + unit - 1) / unit * unit
}

// MeasureJSON writes the measurement as one JSON document.
func MeasureJSON(w io.Writer, r *pipeline.Report) error {
	return WriteJSON(w, NewMeasurement(r))
}

// Measure writes the measurement for a person, with the limits as Rego.
func Measure(w io.Writer, r *pipeline.Report) error {
	m := NewMeasurement(r)
	p := &printer{w: w}
	p.line("%s on %d resources", plain.Line(m.Function.Reference), m.Items)
	p.line("  fuel    %d", m.Used.Fuel)
	p.line("  memory  %d pages (%s)", m.Used.MemoryPages, bytesText(int64(m.Used.MemoryPages)<<16))
	p.line("  time    %s here, with the %s", roundDuration(m.Used.Wall), r.Run.Engine)
	p.line("")
	p.line("# Four times the fuel, output and time, twice the memory. Fuel and memory do not")
	p.line("# depend on the machine; measure on your largest input.")
	p.line("limits := {")
	p.line("\t\"fuel\": %d,", m.Suggested.Fuel)
	p.line("\t\"memoryPages\": %d,", m.Suggested.MemoryPages)
	p.line("\t\"outputBytes\": %d,", m.Suggested.OutputBytes)
	p.line("\t\"stderrBytes\": %d,", m.Suggested.StderrBytes)
	p.line("\t\"timeout\": %q,", m.Suggested.Timeout)
	p.line("}")
	return p.err
}
