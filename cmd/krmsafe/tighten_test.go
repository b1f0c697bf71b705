package main_test

import (
	"strings"
	"testing"

	krmsafe "github.com/krmsafe/krmsafe/cmd/krmsafe"
)

// TestArgumentsDropNoLimit: to the pipeline a limit of 0 is none, and a flag that
// was given is not filled in from the configuration. So a tree that writes 0 would
// take the operator's limit away.
func TestArgumentsDropNoLimit(t *testing.T) {
	t.Parallel()
	for _, name := range krmsafe.LimitFlags {
		unit := ""
		if strings.HasSuffix(name, "timeout") {
			unit = "s"
		}
		for _, configured := range []string{"", "5" + unit, "0" + unit} {
			for _, value := range []string{"0", "0" + unit, "-0" + unit, "00" + unit, "-1" + unit, "-9223372036854775808" + strings.Replace(unit, "s", "ns", 1)} {
				if err := krmsafe.Tightens(name, value, configured); err == nil {
					t.Errorf("--%s=%s is taken where the configuration says %q", name, value, configured)
				}
			}
			if err := krmsafe.Tightens(name, "4"+unit, configured); err != nil {
				t.Errorf("--%s=4%s is refused where the configuration says %q: %v", name, unit, configured, err)
			}
		}
		if err := krmsafe.Tightens(name, "6"+unit, "5"+unit); err == nil {
			t.Errorf("--%s=6%s is taken where the configuration says 5%s", name, unit, unit)
		}
		if unit != "" {
			continue
		}
		// As the flag reads it, this is 16.
		if err := krmsafe.Tightens(name, "17", "0x10"); err == nil {
			t.Errorf("--%s=17 is taken where the configuration says 0x10", name)
		}
		if err := krmsafe.Tightens(name, "16", "0x10"); err != nil {
			t.Errorf("--%s=16 is refused where the configuration says 0x10: %v", name, err)
		}
	}
}
