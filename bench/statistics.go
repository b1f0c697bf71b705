package main

import (
	"math"
	"slices"
)

func median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	x = slices.Sorted(slices.Values(x))
	if n := len(x); n%2 == 0 {
		return (x[n/2-1] + x[n/2]) / 2
	}
	return x[len(x)/2]
}

// pairs is the median of the ratios within a round.
func pairs(a, b []float64) float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return median(r)
}

// Figures of a sample.
func cpu(s sample) float64       { return s.CPU }
func wall(s sample) float64      { return s.Wall }
func peak(s sample) float64      { return float64(s.PeakBytes) }
func hostCPU(s sample) float64   { return s.CPU - s.ChildCPU }
func childCPU(s sample) float64  { return s.ChildCPU }
func childPeak(s sample) float64 { return float64(s.ChildPeak) }

// median of one figure; NaN where nothing was measured.
func (s *series) median(f func(sample) float64) float64 {
	if s == nil {
		return math.NaN()
	}
	x := make([]float64, len(s.Samples))
	for i := range x {
		x[i] = f(s.Samples[i])
	}
	return median(x)
}

// ratio is the median of a figure of s over one of t within the rounds that have
// both; NaN where there is none.
func (s *series) ratio(f func(sample) float64, t *series, g func(sample) float64) float64 {
	if s == nil || t == nil {
		return math.NaN()
	}
	var r []float64
	for _, a := range s.Samples {
		for _, b := range t.Samples {
			if a.Round == b.Round {
				r = append(r, f(a)/g(b))
			}
		}
	}
	if r == nil {
		return s.median(f) / t.median(g) // measured in different rounds of one run
	}
	return median(r)
}
