package report

import (
	"io"

	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// ReportsVersion names the shape of Reports as JSON.
const ReportsVersion = "krmsafe.dev/reports/v1"

// Reports tell of several functions that were run one after the other.
type Reports struct {
	Version   string             `json:"version"`
	ExitCode  int                `json:"exitCode"` // of krmsafe
	Functions []*pipeline.Report `json:"functions"`
}

// NewReports puts the reports of functions together, in the order they ran in.
func NewReports(reports []*pipeline.Report, exitCode int) Reports {
	if reports == nil {
		reports = []*pipeline.Report{}
	}
	return Reports{Version: ReportsVersion, ExitCode: exitCode, Functions: reports}
}

// WriteRuns writes the reports of functions in one of the formats of RunKinds, as one
// document.
func WriteRuns(w io.Writer, reports []*pipeline.Report, o Origin, kind string) error {
	if kind == "markdown" {
		for _, r := range reports {
			if err := Markdown(w, r, o); err != nil {
				return err
			}
		}
		return nil
	}
	var all Log
	for i, r := range reports {
		l := RunLog(r, o)
		if i == 0 {
			all = l
			continue
		}
		all.Findings = append(all.Findings, l.Findings...)
		if all.ExitCode == pipeline.ExitOK {
			all.ExitCode = l.ExitCode
		}
	}
	return all.Write(w, kind)
}
