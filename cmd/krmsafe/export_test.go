package main

import "os"

// Main is main, for scripts that run the test binary as krmsafe. Where operators
// keep their configuration is the script's to say.
func Main() {
	os.Exit(realMain(places{
		system: os.Getenv("TEST_SYSTEM_CONFIG"),
		home:   func() (string, error) { return os.Getenv("TEST_HOME"), nil },
	}))
}

// ConfigKeys gives each key that takes text, and whether its values are paths.
func ConfigKeys() map[string]bool {
	keys := map[string]bool{}
	configurable().VisitAll(func(f *flag) {
		switch f.Value.Type() {
		case "string", "stringArray", "stringSlice":
			_, is := paths[f.Name]
			keys[f.Name] = is
		}
	})
	return keys
}

// Anchored is anchored.
var Anchored = anchored

// ContainerOf is containerOf.
var ContainerOf = containerOf
