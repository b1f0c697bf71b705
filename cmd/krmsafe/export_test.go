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
