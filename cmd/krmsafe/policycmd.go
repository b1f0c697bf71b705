package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "draw, explain, test, check and document policies",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.policyInitCommand(), a.policyEvalCommand(), a.policyTestCommand(), a.policyCheckCommand(), a.policyDocCommand())
	return cmd
}

// defaultPolicy is where policies lie if nobody says otherwise, as conftest has
// it.
const defaultPolicy = "policy"

// name adds the arguments to what --policy names.
func (f *policyFlags) name(args []string) {
	f.sources = append(slices.Clone(f.sources), args...)
	if len(f.sources) == 0 {
		f.sources = []string{defaultPolicy}
	}
}

// onDisk are the sources in which tests and fixtures may lie.
func (f *policyFlags) onDisk() []string {
	return slices.DeleteFunc(slices.Clone(f.sources), func(name string) bool {
		remote := strings.Contains(name, "://") || strings.Contains(name, "::") || strings.HasPrefix(name, "oci-layout:")
		return strings.HasPrefix(name, builtin) || remote || isArchive(name)
	})
}

func isRegoTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// finishLog writes a log as the product of a verb, and ends it with the exit code
// in the log.
func (a *app) finishLog(l report.Log, kind string) error {
	l.Program = program()
	var b bytes.Buffer
	if err := l.Write(&b, kind); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if _, err := a.out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing standard output: %w", err)
	}
	a.code = l.ExitCode
	return nil
}

// registerKind adds --output with conftest's kinds.
func registerKind(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "stdout", "format of the report: "+strings.Join(report.Kinds(), ", "))
}

// verdict is the exit code of a log: refused where anything failed.
func verdict(findings []report.Finding, failOnWarn bool) int {
	for _, f := range findings {
		switch f.Status {
		case report.StatusPass, report.StatusSkip, report.StatusNote:
		case report.StatusWarning:
			if failOnWarn {
				return pipeline.ExitRefused
			}
		default:
			return pipeline.ExitRefused
		}
	}
	return pipeline.ExitOK
}
