package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

// auditFlags say where runs are recorded.
type auditFlags struct {
	file     string
	required bool
}

func (f *auditFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "audit-log", "", "append one line of JSON for this run to a file, refusals included; - is standard error")
	cmd.Flags().BoolVar(&f.required, "audit-required", false, "print nothing unless the audit log was written")
}

// auditLog is where one run is recorded. The zero auditLog records nothing.
type auditLog struct {
	w        io.Writer
	file     *os.File // nil for standard error
	required bool
	runID    string
}

// open opens the log before anything else is done, so that a run that cannot be
// recorded is refused before it costs anything.
func (f auditFlags) open(stderr io.Writer) (*auditLog, error) {
	log := &auditLog{required: f.required, runID: rand.Text()}
	switch f.file {
	case "":
		if f.required {
			return nil, &pipeline.UsageError{Message: "--audit-required without an audit log", Hint: "name the log with --audit-log FILE"}
		}
	case "-":
		log.w = stderr
	default:
		file, err := os.OpenFile(f.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) // #nosec G304 -- the operator names the file
		if err != nil {
			if f.required {
				return nil, fmt.Errorf("opening the audit log: %w", err)
			}
			log.w = brokenLog{err}
			return log, nil
		}
		log.w, log.file = file, file
	}
	return log, nil
}

// brokenLog is a log that could not be opened and need not be: each record
// becomes a warning.
type brokenLog struct{ err error }

func (b brokenLog) Write([]byte) (int, error) { return 0, b.err }

// write appends one record, with a single write so that the lines of programs
// that share the file do not mix, and where it matters waits for the disk.
func (l *auditLog) write(rep *pipeline.Report, event string) error {
	if l.w == nil {
		return nil
	}
	line, err := report.Audit(rep, program(), event, now().Format(time.RFC3339Nano), l.runID).Line()
	if err == nil {
		_, err = l.w.Write(line)
	}
	if err == nil && l.required && l.file != nil {
		if info, statErr := l.file.Stat(); statErr == nil && info.Mode().IsRegular() {
			err = l.file.Sync()
		}
	}
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	return nil
}

func (l *auditLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// program is this krmsafe, as an audit record names it.
func program() report.Program {
	v := readVersion()
	return report.Program{Version: v.Version, Revision: v.Revision, Go: v.Go, Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: v.Modules}
}

// now is the time in UTC. Audit records carry it; no decision rests on more than
// its day.
func now() time.Time { return time.Now().UTC() } //nolint:forbidigo // the one clock a command reads

// today is the day in UTC. Policies compare dated exceptions with it.
func today() string { return now().Format(time.DateOnly) }
