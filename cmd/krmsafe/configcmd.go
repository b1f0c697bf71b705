package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
)

// configView is what `krmsafe config -o json` prints.
type configView struct {
	Version  string          `json:"version"` // krmsafe.dev/config/v1
	Looked   []string        `json:"looked"`
	Found    []string        `json:"found"`
	Wrapper  string          `json:"wrapper"` // the user's file where kustomize or kpt start krmsafe, empty where there is none
	Settings []configSetting `json:"settings"`
}

type configSetting struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
	File   string   `json:"file"`
	Line   int      `json:"line"`
}

func (a *app) configCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "show what the operator's configuration says, and where",
		Long: `Shows the settings that hold for every verb that judges functions, the file and
line of each, and where was looked. A file is YAML; its keys are the names of the
flags of krmsafe run, its values what the flags take, and a list where a flag may
be given several times. An unknown key, a key twice or a value of another type is an error.

  # /etc/krmsafe/config.yaml
  trust: trust.yaml            # relative to this file's folder
  policy: [builtin:strict]
  timeout: 10s

/etc/krmsafe/config.yaml holds for all users of the machine;
$XDG_CONFIG_HOME/krmsafe/config.yaml, or else ~/.config/krmsafe/config.yaml, is the
user's own. Where the system's file says anything of trust, policy, sandbox,
network, lock or audit, or of a limit, the user's file may say nothing of the same.
--config FILE takes the place of both. The command line has the last word, but not
in what kustomize and kpt start (krmsafe exec): there it may only tighten, and the
user's file is found by the user database and not by the environment.

Each file belongs to root or to the user, and nobody else may write it.`,
		Example: "  krmsafe config\n  krmsafe config --config ci/krmsafe.yaml -o json",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("--output", output, "text", "json"); err != nil {
				return err
			}
			var f judgeFlags
			all := &cobra.Command{}
			f.register(all)
			(&wrapperFlags{}).register(all)
			if err := a.configure(all); err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			view := a.configured()
			if output == "json" {
				return report.WriteJSON(a.out, view)
			}
			return view.text(a.out)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) configured() configView {
	c := a.operated
	view := configView{Version: "krmsafe.dev/config/v1", Looked: c.looked, Found: c.found, Wrapper: a.userConfig(true), Settings: []configSetting{}}
	if view.Looked == nil {
		view.Looked = []string{}
	}
	if view.Found == nil {
		view.Found = []string{}
	}
	for _, key := range c.keys() {
		s := c.settings[key]
		one := configSetting{Key: key, Values: []string{}, File: s.file, Line: s.Line}
		for _, v := range s.Values {
			one.Values = append(one.Values, v.Text)
		}
		view.Settings = append(view.Settings, one)
	}
	return view
}

func (v configView) text(w io.Writer) error {
	for _, name := range v.Looked {
		state := "is not there"
		if slices.Contains(v.Found, name) {
			state = "is read"
		}
		if _, err := fmt.Fprintf(w, "%s %s\n", plain.Line(name), state); err != nil {
			return err
		}
	}
	if v.Wrapper != "" && !slices.Contains(v.Looked, v.Wrapper) {
		if _, err := fmt.Fprintf(w, "%s is read in place of the user's where kustomize or kpt start krmsafe\n", plain.Line(v.Wrapper)); err != nil {
			return err
		}
	}
	if len(v.Settings) == 0 {
		_, err := fmt.Fprintln(w, "nothing is set: nobody is trusted, and builtin:baseline decides")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nKEY\tVALUE\tFROM")
	for _, s := range v.Settings {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s:%d\n", s.Key, plain.Line(strings.Join(s.Values, ", ")), plain.Line(s.File), s.Line)
	}
	return table.Flush()
}
