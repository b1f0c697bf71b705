package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

// reportFlags say how a run is told of.
type reportFlags struct {
	kind        string
	file        string
	quiet       bool
	showChanges bool
	brief       bool // set by verbs that a client starts: nothing of a run that went well but what the function says
	noResults   bool // the client shows them itself
}

// options are those of the text for a person.
func (f *reportFlags) options(quiet bool) report.Options {
	return report.Options{Quiet: quiet, Changes: f.showChanges, Brief: f.brief, NoResults: f.noResults}
}

func (f *reportFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "report", "text", "the report on standard error: "+strings.Join(runKinds(), ", "))
	flags.StringVar(&f.file, "report-file", "", "write the report to this file instead")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing of a run that went well but its warnings and results")
	flags.BoolVar(&f.showChanges, "show-changes", false, "list every change of the function's, field by field")
}

// runKinds are the words of --report: text and json are the report itself, the
// others what other tools read.
func runKinds() []string { return append([]string{"text", "json"}, report.RunKinds()...) }

func (f *reportFlags) check() error { return oneOf("--report", f.kind, runKinds()...) }

// An ending is how a verb ends that ran functions.
type ending struct {
	flags reportFlags
	// command is what reports call the verb; empty is krmsafe run.
	command string
	// location is the file of the user's that a refusal is shown at, or empty.
	location string
	// several says that the report is one of several functions, even if fewer ran.
	several bool
	// product makes what is to be printed or written, once nothing refused it,
	// and gives what then does so; nil where there is nothing.
	product func() (deliver func() error, err error)
	// aside writes what tells of the functions besides the report, also where they
	// failed; nil where there is nothing.
	aside func(reports []*pipeline.Report, exitCode int) error
}

// account opens the audit log, does the work that gives the reports, and ends the
// verb. Its reports are those of the functions that ran, in order; an error's own
// report, if there is one, is the last of them.
func (a *app) account(f judgeFlags, e ending, work func() ([]*pipeline.Report, error)) (int, error) {
	e.flags = f.report
	if err := f.report.check(); err != nil {
		return 0, err
	}
	log, err := f.audit.open(a.err)
	if err != nil {
		return a.finishAll(nil, err, e, &auditLog{})
	}
	reports, err := contained(work)
	code, err := a.finishAll(reports, err, e, log)
	return code, errors.Join(err, log.close())
}

// contained does work of which a panic is an error like others, so that it is
// reported and audited and nothing leaves.
func contained(work func() ([]*pipeline.Report, error)) (reports []*pipeline.Report, err error) {
	defer contain(func(cause error) { reports, err = nil, cause })
	return work()
}

// finishAll ends a verb that ran functions: the audit records, the report, and
// then, if all went well, the product, which is complete before its first byte is
// written. An error that it returns has not been told of yet.
func (a *app) finishAll(reports []*pipeline.Report, failed error, e ending, log *auditLog) (int, error) {
	var deliver func() error
	if failed == nil && worst(reports) == pipeline.ExitOK && e.product != nil {
		deliver, failed = e.product()
		if outcome, refused := refusedBy(failed); refused {
			last := reports[len(reports)-1]
			last.Outcome, last.Emit, failed = outcome, nil, nil
		}
	}
	if failed != nil {
		reports = e.endedBy(reports, failed)
	}
	for _, rep := range reports {
		if rep.ExitCode < 0 {
			rep.ExitCode = rep.Outcome.ExitCode()
		}
	}
	if e.aside != nil {
		if err := e.aside(reports, worst(reports)); err != nil && failed == nil && worst(reports) == pipeline.ExitOK {
			failed, reports = err, e.endedBy(reports, err)
		}
	}
	for _, rep := range reports {
		if err := log.write(rep, report.EventRun); err != nil {
			if log.required {
				return 0, err
			}
			rep.Warnings = append(rep.Warnings, pipeline.Warning{
				Stage: rep.Outcome.Stage, ID: "audit.write", Message: err.Error(), Remedy: "--audit-required refuses a run that cannot be recorded",
			})
		}
	}
	told, err := a.writeReport(reports, e)
	if err == nil && worst(reports) == pipeline.ExitOK && deliver != nil {
		err = deliver()
	}
	if err != nil {
		return 0, a.undelivered(reports, err, e, log)
	}
	if failed != nil && !told {
		return 0, failed
	}
	return worst(reports), nil
}

// worst is the exit code of the first function that did not go well.
func worst(reports []*pipeline.Report) int {
	for _, rep := range reports {
		if code := rep.Outcome.ExitCode(); code != pipeline.ExitOK {
			if rep.ExitCode > 0 {
				return rep.ExitCode // an error's own code
			}
			return code
		}
	}
	return pipeline.ExitOK
}

// endedBy adds the report of an error, or makes it of the last one where that is
// the report of the function that ended so.
func (e ending) endedBy(reports []*pipeline.Report, failed error) []*pipeline.Report {
	last := len(reports) - 1
	if last < 0 || e.several && reports[last].Outcome.OK {
		return append(slices.Clone(reports), couldNotJudge(nil, failed))
	}
	return append(slices.Clone(reports[:last]), couldNotJudge(reports[last], failed))
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
func (a *app) undelivered(reports []*pipeline.Report, failed error, e ending, log *auditLog) error {
	reports = e.endedBy(reports, failed)
	_ = log.write(reports[len(reports)-1], report.EventUndelivered)
	if e.flags.file != "" {
		_, _ = a.writeReport(reports, e)
	}
	return failed
}

// writeReport writes the report to its file, or to standard error; told says
// whether whoever reads standard error has now seen the error, too, that ended
// the run.
func (a *app) writeReport(reports []*pipeline.Report, e ending) (told bool, err error) {
	var buf bytes.Buffer
	f, o := e.flags, report.Origin{Program: program(), Command: e.command, Location: e.location}
	last := pipeline.NewReport() // of a build without functions, in which nothing is wrong
	last.Outcome = pipeline.Outcome{OK: true, Stage: pipeline.StageDone}
	if len(reports) > 0 {
		last = reports[len(reports)-1]
	}
	switch {
	case f.kind == "json" && e.several:
		err = report.WriteJSON(&buf, report.NewReports(reports, worst(reports)))
	case f.kind == "json":
		err = report.JSON(&buf, last)
	case f.kind == "text":
		if last.Outcome.Stage == pipeline.StageError { // the error itself says all there is
			reports = reports[:len(reports)-1]
		}
		err = writeTexts(&buf, reports, f.options(f.quiet))
	case len(reports) == 0:
		err = report.WriteRuns(&buf, []*pipeline.Report{last}, o, f.kind)
	default:
		err = report.WriteRuns(&buf, reports, o, f.kind)
	}
	if err != nil {
		return false, fmt.Errorf("writing the report: %w", err)
	}
	if f.file != "" && (f.kind != "text" || buf.Len() > 0) {
		if err := os.WriteFile(f.file, buf.Bytes(), 0o600); err != nil {
			return false, fmt.Errorf("writing the report: %w", err)
		}
		buf.Reset() // a refusal, and a warning, are told on standard error as well
		if err := writeTexts(&buf, worthTelling(reports, f.kind), f.options(true)); err != nil {
			return false, fmt.Errorf("writing the report: %w", err)
		}
	}
	if _, err := a.err.Write(buf.Bytes()); err != nil {
		return false, fmt.Errorf("writing the report: %w", err)
	}
	return f.kind != "text" && f.file == "", nil
}

// worthTelling are the reports that a person must see although a file has them.
func worthTelling(reports []*pipeline.Report, output string) []*pipeline.Report {
	var out []*pipeline.Report
	for _, rep := range reports {
		if rep.Outcome.Stage != pipeline.StageError && (!rep.Outcome.OK || output != "text" && len(rep.Warnings) > 0) {
			out = append(out, rep)
		}
	}
	return out
}

func writeTexts(w io.Writer, reports []*pipeline.Report, o report.Options) error {
	for _, rep := range reports {
		if err := report.Text(w, rep, o); err != nil {
			return err
		}
	}
	return nil
}
