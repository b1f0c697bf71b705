package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// asked are the flags by which a tree asks for something that no safety rests on:
// which module, on what of the resources, and how to tell of it.
var asked = []string{
	"image", "file", "type", "results", "report", "quiet", "show-changes",
	"match-api-version", "match-kind", "match-name", "match-namespace", "match-labels", "match-annotations",
	"exclude-api-version", "exclude-kind", "exclude-name", "exclude-namespace", "exclude-labels", "exclude-annotations",
}

// limitFlags are the flags that lower a limit. The pipeline holds them to the
// policy's; here they are held to the configuration's. To the pipeline 0 says
// nothing, and so lets a limit go that the configuration set: it is refused.
var limitFlags = []string{
	"timeout", "compile-timeout", "memory-pages", "fuel", "table-elements", "call-depth", "compile-bytes", "output-bytes", "stderr-bytes",
}

// hideRefused leaves out of a command's help the flags that its arguments may not
// give. The configuration sets them all the same.
func hideRefused(cmd *cobra.Command) {
	taken := append(slices.Concat(asked, limitFlags), "check-determinism", "offline", "mode", "fail-on")
	cmd.Flags().VisitAll(func(f *flag) { f.Hidden = f.Hidden || !slices.Contains(taken, f.Name) })
}

// tightens refuses an argument line that a tree may have written and that says
// more than which module it asks for: whom to trust, which policy decides and
// whatever lowers safety is the operator's to say. What tightens is taken.
func tightens(cmd *cobra.Command, config *operatorConfig) (err error) {
	cmd.Flags().Visit(func(f *flag) {
		if err == nil && !slices.Contains(asked, f.Name) {
			err = tighter(cmd, f, config)
		}
	})
	return err
}

func tighter(cmd *cobra.Command, f *flag, config *operatorConfig) error {
	said, value := config.value(f.Name), f.Value.String()
	ok := false
	switch {
	case slices.Contains(limitFlags, f.Name):
		most := amount(said)
		ok = strictly(value) && (most == 0 || amount(value) <= most)
	case f.Name == "check-determinism" || f.Name == "offline":
		ok = value == "true"
	case f.Name == "mode":
		ok = value == string(pipeline.ModeEnforce)
	case f.Name == "fail-on":
		if said == "" {
			said = krm.SeverityError
		}
		ok = slices.Index(severities, value) >= slices.Index(severities, said)
	default:
		return &pipeline.UsageError{
			Message: fmt.Sprintf("--%s is not taken from the arguments of %s, which a tree may have written", f.Name, cmd.CommandPath()),
			Hint:    fmt.Sprintf("the operator says it, as the key %q of the configuration; krmsafe config shows where that lies", f.Name),
		}
	}
	if !ok {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("--%s %s would relax what the operator's configuration says; the arguments of %s can only tighten it", f.Name, value, cmd.CommandPath()),
			Hint:    fmt.Sprintf("the operator says it, as the key %q of the configuration; krmsafe config shows where that lies", f.Name),
		}
	}
	return nil
}

// severities are the words of --fail-on, the laxest first.
var severities = []string{pipeline.FailNever, krm.SeverityError, krm.SeverityWarning, krm.SeverityInfo}

// value is what the configuration says of a flag that takes one value.
func (c *operatorConfig) value(key string) string {
	if s, is := c.settings[key]; is && len(s.Values) == 1 {
		return s.Values[0].Text
	}
	return ""
}

// strictly says whether a limit limits anything: 0 and what is below do not.
func strictly(text string) bool {
	n := amount(text)
	return n > 0 && n < unlimited
}

// unlimited is the amount of what is no limit.
const unlimited = 1<<64 - 1

// amount is the size of a limit, read as its flag reads it; 0 of none, and of what
// is no amount, the largest there is.
func amount(text string) uint64 {
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return n
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return uint64(d)
	}
	return unlimited
}
