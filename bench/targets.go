package main

import (
	"fmt"
	"math"
	"slices"
)

// A target is a figure that the project set itself, a bound from above unless
// AtLeast is set.
type target struct {
	Name     string   `json:"name"`
	Bound    float64  `json:"bound"`
	Stretch  float64  `json:"stretch,omitempty"`
	AtLeast  bool     `json:"atLeast,omitempty"`
	Measured *float64 `json:"measured"` // null where it could not be
	Met      bool     `json:"met"`
	Why      string   `json:"why,omitempty"` // why it could not be measured, or what it does not say
}

// aim keeps a target with what was measured; NaN is not measured, and why says
// why. A target that was not measured is not met.
func (b *bench) aim(t target, measured float64) {
	if !math.IsNaN(measured) && !math.IsInf(measured, 0) {
		measured = math.Round(measured*1000) / 1000
		t.Measured = &measured
		t.Met = measured <= t.Bound
		if t.AtLeast {
			t.Met = measured >= t.Bound
		}
	} else {
		t.Why = "a figure of the ratio is missing"
	}
	b.document.Targets = append(b.document.Targets, t)
}

// printTargets prints the second table, and what is missing from both.
func (b *bench) printTargets() {
	if len(b.document.Targets) > 0 {
		fmt.Fprintln(b.w, "== targets")
		t := b.table()
		fmt.Fprintln(t, "target\tbound\tmeasured\t\t")
		for _, x := range b.document.Targets {
			bound := fmt.Sprintf("≤ %.4g", x.Bound)
			if x.AtLeast {
				bound = fmt.Sprintf("≥ %.4g", x.Bound)
			}
			if x.Stretch > 0 {
				bound += fmt.Sprintf(" (%.4g)", x.Stretch)
			}
			verdict, measured := "not met", "-"
			switch {
			case x.Measured == nil:
				verdict = "not measured"
			case x.Met:
				verdict = "met"
				if x.Stretch > 0 && *x.Measured <= x.Stretch {
					verdict = "met, stretch too"
				}
			}
			if x.Measured != nil {
				measured = fmt.Sprintf("%.3g", *x.Measured)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", x.Name, bound, measured, verdict)
		}
		_ = t.Flush()
		for _, x := range b.document.Targets {
			if x.Why != "" && x.Measured != nil {
				fmt.Fprintf(b.w, "about %q: %s\n", x.Name, x.Why)
			}
		}
	}
	missing := slices.Clone(b.document.Missing)
	for _, x := range b.document.Targets {
		if x.Measured == nil {
			missing = append(missing, missingTarget(x))
		}
	}
	for _, x := range missing {
		fmt.Fprintf(b.w, "not measured: %s: %s\n", x.What, x.Why)
	}
}

func missingTarget(t target) missing { return missing{t.Name, t.Why} }
