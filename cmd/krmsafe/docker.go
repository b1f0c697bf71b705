package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// dockerVersion is what kpt is told: it asks for 20.10 or later.
const dockerVersion = "20.10.0+krmsafe"

// dockerCommand is what the program that docker-shim writes starts. Its flags are
// that program's, and so the operator's; what stands behind "--" is the client's.
func (a *app) dockerCommand() *cobra.Command {
	f := &execFlags{}
	cmd := &cobra.Command{
		Use:         "docker -- ARGUMENTS",
		Short:       "run a container function as WebAssembly, for the program of docker-shim",
		Hidden:      true,
		Annotations: map[string]string{foreign: foreignEnvironment},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 0 {
				return &pipeline.UsageError{Message: "docker takes the arguments of a client behind --", Hint: "krmsafe docker-shim writes a program that does that"}
			}
			if slices.Equal(args, []string{"version", "--format", "{{.Client.Version}}"}) {
				_, err := fmt.Fprintln(a.out, dockerVersion)
				return err
			}
			image, refused := containerOf(args)
			f.byKpt = !slices.Contains(args, "-a") // which is in kustomize's line alone
			named := func(w *wrapped, req *pipeline.Request) error {
				if refused != nil {
					return refused
				}
				return w.namedByImage(req, image)
			}
			if refused != nil && (len(args) == 0 || args[0] != "run") {
				return refused // there is no input to give back
			}
			return (&wrapped{app: a, cmd: cmd, flags: f, named: named}).serve(cmd.Context())
		},
	}
	f.register(cmd)
	return cmd
}

// namedByImage takes the module that the operator's map names for a container
// image, or else the image's own reference, in which the child for wasip1/wasm is
// chosen.
func (w *wrapped) namedByImage(req *pipeline.Request, image string) error {
	if name := w.flags.functions; name != "" {
		m, err := readFunctionMap(name)
		if err != nil {
			return err
		}
		if spec, ok := m.Lookup(image); ok {
			req.NamedBy = pipeline.NamedByFlag
			req.Image, req.File = mapped(spec, filepath.Dir(name))
			return nil
		}
	}
	if ref, err := oci.ParseRef(image); err != nil || ref.Source != oci.SourceRegistry {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("no module stands in for the image %q, and that is no name in a registry", image),
			Hint:    "name its counterpart in the FunctionMap of the configuration's key functions",
		}
	}
	req.Image = image
	return nil
}

// mapped is what an entry of a FunctionMap names: files and layouts are relative to
// the map's own folder, not to the tree that is the current one.
func mapped(spec krm.FunctionSpec, dir string) (image, file string) {
	image, file = spec.Image, spec.File
	if layout, is := strings.CutPrefix(image, "oci-layout:"); is && !filepath.IsAbs(layout) {
		image = "oci-layout:" + filepath.Join(dir, layout)
	}
	if file != "" && !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	return image, file
}

// isImage takes what begins with a letter or a digit, so that it is no flag and no
// path; what it names is for others to find out.
func isImage(s string) bool {
	const also = "._:/@-"
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' }
	return s != "" && len(s) <= 1024 && plain(rune(s[0])) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !plain(r) && !strings.ContainsRune(also, r) })
}

// isUser takes nobody, or the numbers of a user and a group.
func isUser(s string) bool {
	user, group, both := strings.Cut(s, ":")
	number := func(n string) bool {
		_, err := strconv.ParseUint(n, 10, 32)
		return err == nil
	}
	return s == "nobody" || number(user) && (!both || number(group))
}

// The lines by which the clients start a function, up to the flags that vary:
// kyaml's container.Filter, which kustomize and kubectl have, and kpt's ContainerFn.
var (
	kustomizeLine = strings.Fields("run --rm -i -a STDIN -a STDOUT -a STDERR --network none --user USER --security-opt=no-new-privileges")
	kptLine       = strings.Fields("run --rm -i --network none --user USER --security-opt=no-new-privileges")
)

// containerOf is the image of a line that kustomize or kpt wrote. It takes no
// other: what a container is asked for beyond its streams a function does not get
// here, and to leave that out silently would change what it does.
func containerOf(args []string) (string, error) {
	rest, err := dockerLine(args)
	if err != nil {
		return "", err
	}
	if len(rest) > 1 && rest[0] == "--pull" && slices.Contains([]string{"always", "missing", "never"}, rest[1]) {
		rest = rest[2:]
	}
	for len(rest) > 1 && rest[0] == "-e" {
		if !slices.Contains([]string{"LOG_TO_STDERR=true", "STRUCTURED_RESULTS=true"}, rest[1]) {
			name, _, _ := strings.Cut(rest[1], "=")
			return "", dockerRefusal(fmt.Sprintf("the variable %q for the function's environment", name), "a function in krmsafe has no environment of its own: pass it in the functionConfig")
		}
		rest = rest[2:]
	}
	switch {
	case len(rest) == 1 && isImage(rest[0]):
		return rest[0], nil
	case len(rest) > 0 && rest[0] == "--mount":
		return "", dockerRefusal("a mount", "a function in krmsafe has no files: take mounts out of the function's annotation")
	case len(rest) > 0:
		return "", dockerRefusal(fmt.Sprintf("%q", rest[0]), "")
	}
	return "", dockerRefusal("no image", "")
}

// dockerLine is what follows the part that is always the same.
func dockerLine(args []string) ([]string, error) {
	for _, line := range [][]string{kustomizeLine, kptLine} {
		if len(args) < len(line) {
			continue
		}
		differ := -1
		for i, word := range line {
			if args[i] != word && (word != "USER" || !isUser(args[i])) {
				differ = i
				break
			}
		}
		if differ < 0 {
			return args[len(line):], nil
		}
		if differ > 0 && line[differ-1] == "--network" {
			return nil, dockerRefusal(fmt.Sprintf("the network %q", args[differ]), "a function in krmsafe has no network: take network out of the function's annotation, and --network out of the command line")
		}
	}
	command := "nothing"
	if len(args) > 0 {
		command = fmt.Sprintf("%q", args[0])
	}
	if command == `"run"` {
		command = "a container in other words than kustomize's and kpt's"
	}
	return nil, dockerRefusal(command, "")
}

func dockerRefusal(what, hint string) error {
	if hint == "" {
		hint = "it runs functions for kustomize, kubectl and kpt and nothing else; for docker itself, leave its folder out of PATH"
	}
	return &pipeline.UsageError{Message: "krmsafe is asked, in docker's place, for " + what, Hint: hint}
}
