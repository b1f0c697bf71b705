package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// shimMark is the second line of the program that docker-shim writes. It replaces
// no other file.
const shimMark = "# krmsafe docker-shim: kustomize and kpt start this in docker's place."

func (a *app) dockerShimCommand() *cobra.Command {
	var functions string
	cmd := &cobra.Command{
		Use:   "docker-shim DIR",
		Short: "write a program docker that runs container functions as WebAssembly",
		Long: `Writes DIR/docker, which takes docker's place where DIR stands first in PATH. Then
kustomize build, kubectl kustomize and kpt run functions whose container image has
a WebAssembly counterpart through krmsafe, without a container engine and with
unchanged trees: the counterpart is what the operator's FunctionMap names for the
image, or else the index child of the same reference for wasip1/wasm.

It understands the one line by which those clients start a function, and kpt's
question for docker's version. Everything else is refused: a network, a mount, a
variable for the function's environment, any other command of docker's. Whom to
trust and which policy decides is read from the operator's configuration.`,
		Example: `  krmsafe docker-shim ~/.local/share/krmsafe/bin --functions /etc/krmsafe/functions.yaml
  PATH=~/.local/share/krmsafe/bin:$PATH kustomize build --enable-alpha-plugins .`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return a.writeDockerShim(args[0], functions) },
	}
	cmd.Flags().StringVar(&functions, "functions", "", "file with a FunctionMap: which module stands in for which container image (default: the configuration's)")
	return cmd
}

func (a *app) writeDockerShim(dir, functions string) error {
	if runtime.GOOS == "windows" {
		return &pipeline.UsageError{Message: "the program that docker-shim writes is a shell script, which Windows does not start"}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- a folder of programs
		return fmt.Errorf("making the folder: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := ownedFolder(dir); err != nil {
		return err
	}
	self, err := exec.LookPath(a.self)
	if err == nil {
		self, err = filepath.Abs(self)
	}
	if err != nil {
		return fmt.Errorf("finding krmsafe itself: %w", err)
	}
	words := []string{self, "docker"}
	if functions != "" {
		if functions, err = filepath.Abs(functions); err != nil {
			return err
		}
		if _, err := readFunctionMap(functions); err != nil {
			return err
		}
		words = append(words, "--functions", functions)
	}
	if a.config != "" {
		config, err := filepath.Abs(a.config)
		if err != nil {
			return err
		}
		if _, err := a.operator(true); err != nil {
			return err
		}
		words = append(words, "--config", config)
	}
	script, err := dockerScript(words)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "docker")
	if err := replaceable(name); err != nil {
		return err
	}
	if err := writeWhole(name, []byte(script)); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.Chmod(name, 0o755); err != nil { // #nosec G302 -- a program
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s\n", plain.Line(name))
	return err
}

// dockerScript is a program that starts words with its own arguments behind them.
func dockerScript(words []string) (string, error) {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n" + shimMark + "\nexec")
	for _, w := range words {
		if strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", &pipeline.UsageError{Message: fmt.Sprintf("%q holds a control character", w)}
		}
		b.WriteString(" '" + strings.ReplaceAll(w, "'", `'\''`) + "'")
	}
	b.WriteString(" -- \"$@\"\n")
	return b.String(), nil
}

// replaceable refuses to write over what docker-shim did not write.
func replaceable(name string) error {
	data, err := readBounded(name, 1<<16)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && bytes.HasPrefix(data, []byte("#!/bin/sh\n"+shimMark+"\n")):
		return nil
	}
	return &pipeline.UsageError{Message: fmt.Sprintf("there is a %s that krmsafe did not write", name), Hint: "name a folder of its own"}
}

// readFunctionMap reads an operator's FunctionMap.
func readFunctionMap(name string) (*krm.FunctionMap, error) {
	file, err := os.Open(name) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading the function map: %w", err)
	}
	defer func() { _ = file.Close() }()
	if err := ownedFile(file); err != nil {
		return nil, err
	}
	data, err := readAll(file, name, krm.MaxFunctionMapBytes)
	if err != nil {
		return nil, err
	}
	m, err := krm.ParseFunctionMap(name, data)
	return m, misconfigured(err)
}
