package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
)

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

// UnlikeFlags gives the flags, as "VERB --FLAG", that have the name of a key and
// that the configuration leaves alone all the same.
func UnlikeFlags() []string {
	known := configurable()
	var out []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *flag) {
			if key := known.Lookup(f.Name); key != nil && !sameFlag(f, key) {
				out = append(out, strings.TrimPrefix(cmd.CommandPath(), "krmsafe ")+" --"+f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root(nil))
	slices.Sort(out)
	return out
}

// Anchored is anchored.
var Anchored = anchored

// ContainerOf is containerOf.
var ContainerOf = containerOf

// LimitFlags are the flags that lower a limit.
var LimitFlags = limitFlags

// Tightens says what becomes of --NAME VALUE on an argument line of exec that a
// tree may have written, where the configuration says something of NAME; nothing
// where that is empty.
func Tightens(name, value, configured string) error {
	config := &operatorConfig{settings: map[string]setting{}}
	if configured != "" {
		config.settings[name] = setting{Setting: krm.Setting{Key: name, Values: []krm.SettingValue{{Text: configured}}}}
	}
	cmd := (&app{}).execCommand()
	if err := cmd.ParseFlags([]string{"--" + name + "=" + value}); err != nil {
		return err
	}
	return tightens(cmd, config)
}

// WriteFolder is how a build writes to a folder.
var WriteFolder = writeFolder

// Verbs are the verbs that a command line leads to.
func Verbs(args ...string) []string {
	var names []string
	for _, verb := range (&app{}).verbs(args) {
		names = append(names, verb.Name())
	}
	return names
}

// RoomFor is how far the heap may grow under a memory limit.
var RoomFor = roomFor
