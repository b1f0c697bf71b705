package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// places are where an operator's configuration lies when nobody names a file.
type places struct {
	system string                 // empty where the system has no such place
	home   func() (string, error) // the user's folder as the user database has it, whatever the environment says
}

// configName is the file's path in a folder of settings.
var configName = filepath.Join("krmsafe", "config.yaml")

// foreign marks the verbs that kustomize and kpt start. A tree may have written the
// environment there (kustomize's exec.envs), so the user's home is not taken from
// it; and the arguments, where the value is foreignArguments: what those say may
// tighten what the operator's configuration says and nothing else.
const (
	foreign            = "krmsafe.dev/foreign"
	foreignArguments   = "arguments"
	foreignEnvironment = "environment"
)

// A setting is one key of an operator's file. Paths in it are absolute.
type setting struct {
	krm.Setting
	file string
}

// where names a setting's place for people.
func (s setting) where() string { return fmt.Sprintf("%s: line %d", s.file, s.Line) }

// operatorConfig is what the operator's files say together.
type operatorConfig struct {
	looked   []string           // the files that were looked for
	found    []string           // those that are there
	settings map[string]setting // by key
	filled   map[string]bool    // the flags that were set from here
}

// configure reads the operator's configuration, if the command has flags that it
// may fill, and sets those that the command line did not.
func (a *app) configure(cmd *cobra.Command) error {
	known := configurable()
	fillable := false
	cmd.Flags().VisitAll(func(f *flag) { fillable = fillable || sameFlag(f, known.Lookup(f.Name)) })
	if !fillable {
		return nil
	}
	arguments := cmd.Annotations[foreign] == foreignArguments
	if arguments && a.config != "" {
		return &pipeline.UsageError{
			Message: "--config is not taken from the arguments of " + cmd.CommandPath() + ", which a tree may have written",
			Hint:    "the operator's configuration lies at " + systemConfig + " or in the user's home: krmsafe config shows where",
		}
	}
	config, err := a.operator(cmd.Annotations[foreign] != "")
	if err != nil {
		return err
	}
	a.operated = config
	if arguments {
		if err := tightens(cmd, config); err != nil {
			return err
		}
	}
	return config.fill(cmd, known)
}

// operator reads the file that --config names, or else the system's and the user's.
// closed takes nothing from the environment.
func (a *app) operator(closed bool) (*operatorConfig, error) {
	config := &operatorConfig{settings: map[string]setting{}, filled: map[string]bool{}}
	if a.config != "" {
		list, err := config.read(a.config)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &pipeline.UsageError{Message: fmt.Sprintf("there is no configuration %s", a.config), Hint: "--config names a file of settings"}
		}
		return config, errors.Join(err, config.add(list))
	}
	if a.places.system != "" {
		list, err := config.read(a.places.system)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := config.add(list); err != nil {
			return nil, err
		}
	}
	name := a.userConfig(closed)
	if name == "" {
		return config, nil
	}
	list, err := config.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return config, nil
	case errors.Is(err, fs.ErrPermission) && !closed:
		return config, nil // somebody else's home, as root's is where HOME was not changed with the user
	case err != nil:
		return nil, err
	}
	return config, config.add(list)
}

// userConfig is where the user's own file lies, empty where the user has no home.
func (a *app) userConfig(closed bool) string {
	if !closed {
		if dir := a.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, configName)
		}
		if dir := a.getenv("HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, ".config", configName)
		}
		return ""
	}
	dir, err := a.places.home()
	if err != nil || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, ".config", configName)
}

// read gives the settings of one file. It is one that nobody but root and the user
// can have written.
func (c *operatorConfig) read(name string) ([]setting, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	c.looked = append(c.looked, name)
	file, err := os.Open(name) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer func() { _ = file.Close() }()
	if err := ownedFile(file); err != nil {
		return nil, err
	}
	data, err := readAll(file, name, krm.MaxSettingsBytes)
	if err != nil {
		return nil, err
	}
	list, err := krm.ParseSettings(name, data)
	if err != nil {
		return nil, misconfigured(err)
	}
	c.found = append(c.found, name)
	known := configurable()
	var out []setting
	for _, s := range list {
		one := setting{Setting: s, file: name}
		if err := one.check(known.Lookup(s.Key)); err != nil {
			return nil, err
		}
		for i, v := range one.Values {
			one.Values[i].Text = anchored(s.Key, v.Text, filepath.Dir(name))
		}
		out = append(out, one)
	}
	return out, nil
}

// add takes the settings of a further file. What the files before it rule, it may
// not touch.
func (c *operatorConfig) add(list []setting) error {
	ruled := map[string]setting{}
	for _, s := range c.settings {
		if g := groupOf(s.Key); g != "" {
			ruled[g] = s
		}
	}
	for _, s := range list {
		if before, is := ruled[groupOf(s.Key)]; is {
			return &pipeline.UsageError{
				Message: fmt.Sprintf("%s: %q is ruled by the system's configuration, %s: %q", s.where(), s.Key, before.where(), before.Key),
				Hint:    "take it out of the user's file; krmsafe config shows what holds",
			}
		}
		c.settings[s.Key] = s
	}
	return nil
}

// fill sets the flags of a command that its line did not set.
func (c *operatorConfig) fill(cmd *cobra.Command, known *flagSet) error {
	said := map[string]bool{}
	cmd.Flags().Visit(func(f *flag) { said[f.Name] = true })
	said["require-jail"] = said["require-jail"] || said["jail"]
	for _, key := range c.keys() {
		s := c.settings[key]
		f := cmd.Flags().Lookup(key)
		if said[key] || f == nil || !sameFlag(f, known.Lookup(key)) || replaced(key, said) {
			continue
		}
		if f.Hidden && cmd.Annotations[foreign] == "" { // the verb has no use for it
			continue
		}
		c.filled[key] = true
		for _, v := range s.Values {
			if err := cmd.Flags().Set(key, v.Text); err != nil {
				return &pipeline.UsageError{Message: fmt.Sprintf("%s: %q cannot be %q", s.where(), key, v.Text), Hint: f.Usage}
			}
		}
	}
	return nil
}

// keys are in one order, so that the first mistake told is always the same.
func (c *operatorConfig) keys() []string {
	keys := make([]string, 0, len(c.settings))
	for key := range c.settings {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// check refuses keys and values that no flag takes.
func (s setting) check(f *flag) error {
	refuse := func(format string, args ...any) error {
		return &pipeline.UsageError{Message: s.where() + ": " + fmt.Sprintf(format, args...), Hint: "krmsafe config --help says what may stand there; docs/config.md lists the keys"}
	}
	if f == nil || f.Hidden {
		return refuse("unknown key %q", s.Key)
	}
	kind, many := krm.SettingText, false
	switch f.Value.Type() {
	case "bool":
		kind = krm.SettingBool
	case "int64", "uint32", "uint64":
		kind = krm.SettingNumber
	case "stringArray", "stringSlice":
		many = true
	}
	if s.List && !many {
		return refuse("%q takes one value and not a list", s.Key)
	}
	for _, v := range s.Values {
		if v.Kind != kind || v.Text == "" {
			return refuse("%q takes %s, and not %q", s.Key, words[kind], v.Text)
		}
		if strings.ContainsRune(v.Text, 0) {
			return refuse("%q holds a NUL byte", s.Key)
		}
	}
	return nil
}

var words = map[string]string{krm.SettingBool: "true or false", krm.SettingNumber: "a whole number", krm.SettingText: "text (quote it)"}

// misconfigured makes a mistake in one of krmsafe's own files a usage error.
func misconfigured(err error) error {
	if syntax, ok := errors.AsType[*krm.SyntaxError](err); ok {
		return &pipeline.UsageError{Message: syntax.Error(), Hint: syntax.Hint}
	}
	return err
}
