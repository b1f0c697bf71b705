package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A contender is one way of doing some work: a program with its arguments, which
// is started anew for each measurement.
type contender struct {
	name  string
	argv  []string
	env   []string
	stdin string // file
	// ready, if set, is called before each run; its time does not count.
	ready func() error
	// check, if set, judges the output of the first run.
	check func(stdout string) error
	// audit is where krmsafe writes its audit log, or empty.
	audit string
	// most bounds the measured rounds; 0 is as many as there are.
	most int
}

// A sample is one run. Processor time is user and system time of the whole
// process tree; the peak is the resident memory of the tree's largest process.
// ChildCPU and ChildPeak are krmsafe's jailed child's, by its own audit log.
type sample struct {
	Round      int     `json:"round"`
	CPU        float64 `json:"cpuSeconds"`
	Wall       float64 `json:"wallSeconds"`
	PeakBytes  int64   `json:"peakBytes"`
	ChildCPU   float64 `json:"childCPUSeconds,omitempty"`
	ChildPeak  int64   `json:"childPeakBytes,omitempty"`
	GuestBytes int64   `json:"guestBytes,omitempty"`
	Engine     string  `json:"engine,omitempty"`
}

// A series is what was measured of one contender.
type series struct {
	Name        string   `json:"name"`
	NotMeasured string   `json:"notMeasured,omitempty"`
	Samples     []sample `json:"samples"`
}

// once runs a contender once.
func (b *bench) once(ctx context.Context, c *contender) (sample, error) {
	if c.ready != nil {
		if err := c.ready(); err != nil {
			return sample{}, err
		}
	}
	if c.audit != "" {
		if err := os.RemoveAll(c.audit); err != nil {
			return sample{}, err
		}
	}
	usage, stdout, stderr := filepath.Join(b.work, "usage"), filepath.Join(b.work, "stdout"), filepath.Join(b.work, "stderr")
	argv := append([]string{usage, c.stdin, stdout, stderr}, c.argv...)
	cmd := exec.CommandContext(ctx, b.launcher, argv...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.work, "XDG_CACHE_HOME=" + filepath.Join(b.work, "home-cache")}, c.env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return sample{}, fmt.Errorf("%w: %s", err, text)
	}
	var u struct{ CPU, Wall, Settled, Peak, Exit int64 }
	data, err := os.ReadFile(usage)
	if err != nil {
		return sample{}, err
	}
	if err := json.Unmarshal(data, &u); err != nil {
		return sample{}, err
	}
	if u.Exit != 0 {
		return sample{}, fmt.Errorf("exit code %d: %s", u.Exit, lastLine(stderr))
	}
	s := sample{CPU: time.Duration(u.CPU).Seconds(), Wall: time.Duration(u.Wall).Seconds(), PeakBytes: u.Peak}
	if c.audit != "" {
		err = s.audited(c.audit)
	}
	return s, err
}

// audited adds what krmsafe says of its child.
func (s *sample) audited(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var a struct {
		Execution struct {
			Engine      string `json:"engine"`
			CPU         int64  `json:"cpuNanoseconds"`
			PeakBytes   int64  `json:"peakBytes"`
			MemoryPages int64  `json:"memoryPages"`
		} `json:"execution"`
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return err
	}
	e := a.Execution
	s.ChildCPU, s.ChildPeak, s.Engine, s.GuestBytes = time.Duration(e.CPU).Seconds(), e.PeakBytes, e.Engine, e.MemoryPages<<16
	return nil
}

// lastLine is what a program said before it failed.
func lastLine(file string) string {
	text, _ := os.ReadFile(file)
	said := ""
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSpace(l)
		if l != "" && !strings.Contains(l, ": hint:") {
			said = l
		}
		if strings.Contains(l, ": error:") {
			break
		}
	}
	if len(said) > 300 {
		said = said[:300] + "…"
	}
	return said
}

// turns runs contenders in turn. The first round warms up, checks the output and
// says what each costs: the dear ones are run less often, down to once, and where
// one run takes longer than the warming can matter the first counts.
func (b *bench) turns(ctx context.Context, all []*contender, rounds int) ([]*series, error) {
	result := make([]*series, len(all))
	limit := make([]int, len(all))
	budget := map[bool]float64{false: 60, true: 8}[b.Quick]
	for i, c := range all {
		result[i] = &series{Name: c.name, Samples: []sample{}}
		s, err := b.once(ctx, c)
		if err == nil && c.check != nil {
			err = c.check(filepath.Join(b.work, "stdout"))
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			result[i].NotMeasured = err.Error()
			continue
		}
		limit[i] = min(max(int(budget/s.CPU), 1), rounds)
		if c.most > 0 {
			limit[i] = min(limit[i], c.most)
		}
		if s.CPU > 2 {
			result[i].Samples = append(result[i].Samples, s)
			limit[i]--
		}
	}
	for round := range rounds {
		for i := range all {
			// Each round starts with another one, in case it leaves the
			// machine warmer for the next.
			i = (i + round) % len(all)
			if round >= limit[i] {
				continue
			}
			s, err := b.once(ctx, all[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[i].name, err)
			}
			s.Round = round + 1
			result[i].Samples = append(result[i].Samples, s)
		}
	}
	return result, nil
}
