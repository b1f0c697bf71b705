package report

import (
	"encoding/json"

	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// AuditVersion names the shape of an AuditRecord as JSON.
const AuditVersion = "krmsafe.dev/audit/v1"

// The events of an audit log.
const (
	// EventRun is a run that was judged, refused, or could not be judged. It is
	// written before the first byte of the product.
	EventRun = "run"
	// EventUndelivered follows an EventRun whose report or product could not be
	// written in full: what the first record says did not reach anybody.
	EventUndelivered = "undelivered"
)

// An AuditRecord is one line of an audit log: who ran what under which policy,
// and what came of it. It holds no resource, no value of a field and nothing
// that a function wrote to its standard error, and so no secret.
type AuditRecord struct {
	Version      string               `json:"version"`
	Time         string               `json:"time"` // RFC 3339 with nanoseconds, UTC
	Event        string               `json:"event"`
	RunID        string               `json:"runID"` // random; ties the events of one run together
	Program      Program              `json:"program"`
	Outcome      pipeline.Outcome     `json:"outcome"`
	ExitCode     int                  `json:"exitCode"`
	ExitClass    string               `json:"exitClass"`
	Mode         pipeline.Mode        `json:"mode"`
	Function     pipeline.Function    `json:"function"`
	Trust        pipeline.Trust       `json:"trust"`
	Signatures   []pipeline.Signature `json:"signatures"`
	Attestations []pipeline.Signature `json:"attestations"`
	Policy       pipeline.Policy      `json:"policy"`
	View         pipeline.View        `json:"view"`
	Execution    *AuditExecution      `json:"execution"` // null where nothing ran
	Check        *pipeline.Check      `json:"check"`     // null where there was no output to judge
	Summary      pipeline.Summary     `json:"summary"`
	Results      map[string]int       `json:"results"` // by severity
	Input        pipeline.Document    `json:"input"`
	Output       pipeline.Document    `json:"output"`
	Warnings     []pipeline.Warning   `json:"warnings"`
}

// A Program is the krmsafe that ran, with the modules that decide what it
// accepts and their versions.
type Program struct {
	Version  string            `json:"version"`
	Revision string            `json:"revision"`
	Go       string            `json:"go"`
	Platform string            `json:"platform"`
	Modules  map[string]string `json:"modules"`
}

// An AuditExecution is how the function ran, without what it wrote.
type AuditExecution struct {
	Engine      string        `json:"engine"`
	Cached      bool          `json:"cached"`
	Jail        pipeline.Jail `json:"jail"`
	ExitCode    uint32        `json:"exitCode"`
	MemoryPages uint32        `json:"memoryPages"`
	Fuel        uint64        `json:"fuel"`
	CPU         int64         `json:"cpuNanoseconds"`
	Wall        int64         `json:"wallNanoseconds"`
	PeakBytes   int64         `json:"peakBytes"`
}

// Audit makes the record of a run that is over.
func Audit(r *pipeline.Report, p Program, event, time, runID string) AuditRecord {
	rec := AuditRecord{
		Version: AuditVersion, Time: time, Event: event, RunID: runID, Program: p,
		Outcome: r.Outcome, ExitCode: r.ExitCode, ExitClass: ExitClass(r.ExitCode), Mode: r.Mode,
		Function: r.Function, Trust: r.Trust, Signatures: r.Signatures, Attestations: r.Attestations, Policy: r.Policy, View: r.View, Check: r.Check, Summary: r.Summary,
		Results: map[string]int{}, Input: r.Input, Output: r.Output, Warnings: r.Warnings,
	}
	for _, result := range r.Results {
		switch result.Severity { // a function's own word for a severity is no key of ours
		case "error", "warning", "info":
			rec.Results[result.Severity]++
		default:
			rec.Results["other"]++
		}
	}
	if e := r.Run; e != nil {
		rec.Execution = &AuditExecution{
			Engine: e.Engine, Cached: e.Cached, Jail: e.Jail, ExitCode: e.ExitCode, MemoryPages: e.MemoryPages, Fuel: e.Fuel,
			CPU: int64(e.CPU), Wall: int64(e.Wall), PeakBytes: e.PeakBytes,
		}
	}
	return rec
}

// Line is the record as one line of JSON, its newline included.
func (r AuditRecord) Line() ([]byte, error) {
	line, err := json.Marshal(r)
	return append(line, '\n'), err
}

// ExitClass names an exit code of krmsafe.
func ExitClass(code int) string {
	switch code {
	case pipeline.ExitOK:
		return "ok"
	case pipeline.ExitUsage:
		return "usage"
	case pipeline.ExitRefused:
		return "refused"
	case pipeline.ExitStopped:
		return "stopped"
	case pipeline.ExitOutputRefused:
		return "output-refused"
	default:
		return "error"
	}
}
