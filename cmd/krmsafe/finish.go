package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

// reportFlags say how a run is told of.
type reportFlags struct {
	output      string
	file        string
	quiet       bool
	showChanges bool
}

func (f *reportFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "text", "the report on standard error: "+strings.Join(runKinds(), ", "))
	flags.StringVar(&f.file, "report-file", "", "write the report to this file instead")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing of a run that went well but its warnings and results")
	flags.BoolVar(&f.showChanges, "show-changes", false, "list every change of the function's, field by field")
}

// runKinds are the words of --output: text and json are the report itself, the
// others what other tools read.
func runKinds() []string { return append([]string{"text", "json"}, report.RunKinds()...) }

func (f *reportFlags) check() error { return oneOf("--output", f.output, runKinds()...) }

// finish ends a run: the audit record, the report, and then, if all went well,
// the product, which is complete before its first byte is written. An error that
// it returns has not been told of yet.
func (a *app) finish(rep *pipeline.Report, failed error, f runFlags, log *auditLog) (int, error) {
	var product []byte
	if failed == nil && rep.Emit != nil {
		product, failed = encode(rep, f.to)
	}
	if failed != nil {
		rep = couldNotJudge(rep, failed)
	} else {
		rep.ExitCode = rep.Outcome.ExitCode()
	}
	if err := log.write(rep, report.EventRun); err != nil {
		if log.required {
			return 0, err
		}
		rep.Warnings = append(rep.Warnings, pipeline.Warning{
			Stage: rep.Outcome.Stage, ID: "audit.write", Message: err.Error(), Remedy: "--audit-required refuses a run that cannot be recorded",
		})
	}
	told, err := a.writeReport(rep, f.report, report.Origin{Program: program(), Location: f.fnConfig})
	if err == nil && rep.ExitCode == pipeline.ExitOK {
		err = a.deliver(product)
	}
	if err != nil {
		return 0, a.undelivered(rep, err, f, log)
	}
	if failed != nil && !told {
		return 0, failed
	}
	return rep.ExitCode, nil
}

func encode(rep *pipeline.Report, to string) ([]byte, error) {
	write := rep.Emit.Encode
	if to == "manifests" {
		write = rep.Emit.Manifests
	}
	product, err := write()
	if err != nil {
		return nil, fmt.Errorf("writing the output: %w", err)
	}
	return product, nil
}

// couldNotJudge makes a report of an error, with what was found until then.
func couldNotJudge(rep *pipeline.Report, failed error) *pipeline.Report {
	if rep == nil {
		rep = pipeline.NewReport()
	}
	code, hint := explain(failed)
	rep.ExitCode, rep.Emit = code, nil
	rep.Outcome = pipeline.Outcome{Stage: pipeline.StageError, Code: reasonOf(failed), Message: failed.Error(), Hint: hint}
	return rep
}

// deliver writes the product. Standard output is closed at once where it can
// be: some file systems tell only then that there was no room.
func (a *app) deliver(product []byte) error {
	if _, err := a.out.Write(product); err != nil {
		return fmt.Errorf("writing standard output: %w", err)
	}
	if c, ok := a.out.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return fmt.Errorf("closing standard output: %w", err)
		}
	}
	return nil
}

// undelivered records that what the audit log and the report file say did not
// reach anybody. The failure itself is what is told.
func (a *app) undelivered(rep *pipeline.Report, failed error, f runFlags, log *auditLog) error {
	rep = couldNotJudge(rep, failed)
	_ = log.write(rep, report.EventUndelivered)
	if f.report.file != "" {
		_, _ = a.writeReport(rep, f.report, report.Origin{Program: program(), Location: f.fnConfig})
	}
	return failed
}

// writeReport writes the report to its file, or to standard error; told says
// whether a program or a person has now seen how the run ended.
func (a *app) writeReport(rep *pipeline.Report, f reportFlags, o report.Origin) (told bool, err error) {
	text := report.Options{Quiet: f.quiet, Changes: f.showChanges}
	failed := rep.Outcome.Stage == pipeline.StageError
	var buf bytes.Buffer
	switch {
	case f.output == "json":
		err = report.JSON(&buf, rep)
	case f.output == "markdown":
		err = report.Markdown(&buf, rep, o)
	case f.output != "text":
		err = report.RunLog(rep, o).Write(&buf, f.output)
	case failed: // the error itself says all there is
		return false, nil
	default:
		err = report.Text(&buf, rep, text)
	}
	if err != nil {
		return false, fmt.Errorf("writing the report: %w", err)
	}
	if f.file != "" {
		if err := os.WriteFile(f.file, buf.Bytes(), 0o600); err != nil {
			return false, fmt.Errorf("writing the report: %w", err)
		}
		if failed || rep.Outcome.OK && (f.output == "text" || len(rep.Warnings) == 0) {
			return false, nil
		}
		buf.Reset() // a refusal, and a warning, are told on standard error as well
		text.Quiet = true
		if err := report.Text(&buf, rep, text); err != nil {
			return false, fmt.Errorf("writing the report: %w", err)
		}
	}
	if _, err := a.err.Write(buf.Bytes()); err != nil {
		return false, fmt.Errorf("writing the report: %w", err)
	}
	return true, nil
}
