package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

// writeResults writes results.yaml where --results-dir asks for it.
func (b *batch) writeResults(reports []*pipeline.Report, exitCode int) error {
	dir := b.results
	if dir == "" {
		return nil
	}
	names := make([]string, 0, len(b.steps))
	for _, st := range b.steps {
		names = append(names, st.name)
	}
	text, err := report.FunctionResults(reports, names, exitCode)
	if err == nil {
		err = os.MkdirAll(dir, 0o755) // #nosec G301 -- results are for others to read, as kpt's are
	}
	if err == nil {
		err = writeWhole(filepath.Join(dir, "results.yaml"), text)
	}
	if err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return nil
}
