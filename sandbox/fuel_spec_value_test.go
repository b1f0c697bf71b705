package sandbox_test

import (
	"math"
	"strconv"
	"strings"
)

// lane gives the width of the value's lanes and their texts.
func (v specValue) lanes() (width int, texts []string) {
	kind := v.Type
	if kind == "v128" {
		kind = v.LaneType
		for _, x := range v.Value.([]any) {
			texts = append(texts, x.(string))
		}
	} else {
		s, _ := v.Value.(string)
		texts = []string{s}
	}
	switch kind {
	case "i8":
		return 8, texts
	case "i16":
		return 16, texts
	case "i32", "f32":
		return 32, texts
	}
	return 64, texts
}

func (v specValue) bits() ([]uint64, error) {
	switch v.Type {
	case "externref", "funcref":
		s, _ := v.Value.(string)
		if s == "null" || s == "" {
			return []uint64{0}, nil
		}
		n, err := strconv.ParseUint(s, 10, 64)
		return []uint64{n + 1}, err
	}
	width, texts := v.lanes()
	out := make([]uint64, (len(texts)*width+63)/64)
	for i, s := range texts {
		n, err := parseLane(s, width)
		if err != nil {
			return nil, err
		}
		out[i*width/64] |= n << (i * width % 64)
	}
	return out, nil
}

func parseLane(s string, width int) (uint64, error) {
	if strings.HasPrefix(s, "nan") {
		if width == 32 {
			return 0x7fc00000, nil
		}
		return 0x7ff8000000000000, nil
	}
	if strings.HasPrefix(s, "-") {
		n, err := strconv.ParseInt(s, 10, width)
		return uint64(n) & (math.MaxUint64 >> (64 - width)), err
	}
	return strconv.ParseUint(s, 10, width)
}

func (v specValue) matches(got []uint64) bool {
	if v.Type == "externref" || v.Type == "funcref" {
		if v.Value == nil {
			return true
		}
		want, err := v.bits()
		return err == nil && got[0] == want[0]
	}
	width, texts := v.lanes()
	for i, s := range texts {
		have := got[i*width/64] >> (i * width % 64) & (math.MaxUint64 >> (64 - width))
		switch s {
		case "nan:canonical", "nan:arithmetic":
			quiet, sign := uint64(0x7fc00000), uint64(1)<<31
			if width == 64 {
				quiet, sign = 0x7ff8000000000000, 1<<63
			}
			if s == "nan:canonical" && have&^sign != quiet || have&quiet != quiet {
				return false
			}
		default:
			want, err := parseLane(s, width)
			if err != nil || have != want {
				return false
			}
		}
	}
	return true
}
