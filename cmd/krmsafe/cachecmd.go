package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/cache"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/sandbox"
)

// cacheFlags say which caches a verb is about.
type cacheFlags struct {
	code     compileCacheFlags
	registry registryFlags
	output   string
}

func (f *cacheFlags) register(cmd *cobra.Command) {
	f.code.place(cmd)
	f.code.use = cacheAuto
	cmd.Flags().StringVar(&f.registry.cacheDir, "cache-dir", "auto", "folder in which fetched content is kept by digest, or none (default: krmsafe in the user's cache folder)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
}

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "look after fetched content and compiled code",
		Long: `Looks after what krmsafe keeps between runs: fetched content, by its digest, and
compiled code, under a seal that only you can make. Both may be removed at any
time; what is missing is fetched and compiled again. See docs/cache.md.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.cacheListCommand("ls"), a.cacheListCommand("verify"), a.cachePruneCommand(), a.cacheExportCommand(), a.cacheImportCommand(), a.cachePushCommand())
	return cmd
}

// open opens both caches; nil stands for one that is not there.
func (f *cacheFlags) open(a *app) (*cache.Blobs, *sandbox.Cache, error) {
	if err := oneOf("--output", f.output, "text", "json"); err != nil {
		return nil, nil, err
	}
	blobs, err := f.registry.cache(a.getenv)
	if err != nil {
		return nil, nil, err
	}
	code, err := f.openCode()
	return blobs, code, err
}

// openCode opens the cache of compiled code, which must be to be had where a verb is
// about it.
func (f *cacheFlags) openCode() (*sandbox.Cache, error) {
	code, warning, err := f.code.open()
	if warning != nil {
		return nil, &pipeline.UsageError{Message: warning.Message, Hint: warning.Hint}
	}
	return code, err
}

// held is what `cache ls` and `cache verify` print as JSON.
type held struct {
	Version string               `json:"version"`
	Fetched []cache.Blob         `json:"fetched"`
	Code    []sandbox.CacheEntry `json:"code"`
}

// heldVersion names the form of held.
const heldVersion = "krmsafe.dev/cache/v1"

func (a *app) cacheListCommand(verb string) *cobra.Command {
	var f cacheFlags
	deep := verb == "verify"
	cmd := &cobra.Command{
		Use:     verb,
		Short:   "list what is kept",
		Example: "  krmsafe cache ls -o json",
		Args:    usage(cobra.NoArgs),
	}
	if deep {
		cmd.Short = "read all that is kept, and remove what is not what it should be"
		cmd.Long = `Reads every entry whole and checks digest or seal. What does not hold is removed
and listed, and the exit code is 1.`
		cmd.Example = "  krmsafe cache verify"
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		blobs, code, err := f.open(a)
		if err != nil {
			return err
		}
		h := held{Version: heldVersion, Fetched: []cache.Blob{}, Code: []sandbox.CacheEntry{}}
		if blobs != nil {
			defer func() { _ = blobs.Close() }()
			if h.Fetched, err = blobs.List(deep); err != nil {
				return err
			}
		}
		if code != nil {
			defer func() { _ = code.Close() }()
			if h.Code, err = code.List(deep); err != nil {
				return err
			}
		}
		if f.output == "json" {
			err = report.WriteJSON(a.out, h)
		} else {
			err = h.print(a.out)
		}
		if n := h.problems(); err == nil && n > 0 && deep {
			return fmt.Errorf("%d of %d entries were not what they should be, and were removed", n, len(h.Fetched)+len(h.Code))
		}
		return err
	}
	f.register(cmd)
	return cmd
}

func (h *held) problems() (n int) {
	for _, b := range h.Fetched {
		if b.Problem != "" {
			n++
		}
	}
	for _, e := range h.Code {
		if e.Problem != "" {
			n++
		}
	}
	return n
}

// print writes a line for each entry and a sum.
func (h *held) print(w io.Writer) error {
	var text strings.Builder
	var fetched, code int64
	for _, b := range h.Fetched {
		fetched += b.Bytes
		fmt.Fprintf(&text, "fetched  %12d  %s  %s%s\n", b.Bytes, b.Used.UTC().Format("2006-01-02T15:04:05Z"), plain.Line(b.Digest), aside(b.Problem))
	}
	for _, e := range h.Code {
		code += e.Bytes
		kind, what := e.Binding.Kind, e.Binding.Module
		if kind == "" {
			kind, what = "unknown", e.Name
		}
		note := e.Problem
		if note == "" && !e.Usable {
			note = "of another version or machine: " + e.Binding.Build + ", " + e.Binding.Target
		}
		if note == "" && e.Binding.Voucher != "" {
			note = "made elsewhere, vouched for by " + e.Binding.Voucher
		}
		fmt.Fprintf(&text, "%-7s  %12d  %s  %s%s\n", plain.Line(kind), e.Bytes, e.Used.UTC().Format("2006-01-02T15:04:05Z"), plain.Line(what), aside(note))
	}
	fmt.Fprintf(&text, "%d bytes fetched in %d blobs, %d bytes compiled in %d entries\n", fetched, len(h.Fetched), code, len(h.Code))
	_, err := io.WriteString(w, text.String())
	return err
}

func aside(note string) string {
	if note == "" {
		return ""
	}
	return "  (" + plain.Line(note) + ")"
}

// pruned is what `cache prune` prints as JSON.
type pruned struct {
	Version string `json:"version"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"`
}

func (a *app) cachePruneCommand() *cobra.Command {
	var f cacheFlags
	var mib int64
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove what was not used for longest",
		Long: `Removes what was not used for longest from both caches, until each holds no more
than --keep says, and what killed processes have left half written.`,
		Example: "  krmsafe cache prune --keep 500\n  krmsafe cache prune --keep 0",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if mib < 0 || mib > 1<<30 {
				return &pipeline.UsageError{Message: fmt.Sprintf("--keep %d is no size", mib)}
			}
			blobs, code, err := f.open(a)
			if err != nil {
				return err
			}
			p := pruned{Version: heldVersion}
			if blobs != nil {
				defer func() { _ = blobs.Close() }()
				if p.Files, p.Bytes, err = blobs.Prune(mib << 20); err != nil {
					return err
				}
			}
			if code != nil {
				defer func() { _ = code.Close() }()
				files, bytes, err := code.Prune(mib << 20)
				if err != nil {
					return err
				}
				p.Files, p.Bytes = p.Files+files, p.Bytes+bytes
			}
			if f.output == "json" {
				return report.WriteJSON(a.out, p)
			}
			_, err = fmt.Fprintf(a.out, "removed %d files of %d bytes\n", p.Files, p.Bytes)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().Int64Var(&mib, "keep", 0, "how much to leave in each cache, in MiB")
	return cmd
}

var errNoCodeCache = &pipeline.UsageError{Message: "there is no cache of compiled code: this user has no cache folder", Hint: "name one with --compile-cache-dir and --compile-cache-key"}

func (a *app) cacheExportCommand() *cobra.Command {
	var f cacheFlags
	var modules []string
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "write compiled code to a file, for another machine of the same kind",
		Long: `Writes the compiled code that this krmsafe has made on this machine to a new
file, and prints the file's digest, by which cache import knows it again. The file
is not sealed: its digest must come to the other machine on a way that you trust.`,
		Example: "  krmsafe cache export code.tar",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			code, err := f.openCode()
			if err != nil {
				return err
			}
			if code == nil {
				return errNoCodeCache
			}
			defer func() { _ = code.Close() }()
			digest, n, err := exportCode(code, args[0], modules)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(a.err, "krmsafe: wrote the code of %d module(s) to %s\n", n, plain.Line(args[0]))
			_, err = fmt.Fprintln(a.out, digest)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&modules, "module", nil, "digest of a module, sha256:…; may be repeated (default: all)")
	return cmd
}

// exportCode writes a new file, and takes it away again where it could not be written
// whole.
func exportCode(code *sandbox.Cache, name string, modules []string) (digest string, n int, err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- the operator names the file
	if errors.Is(err, fs.ErrExist) {
		return "", 0, &pipeline.UsageError{Message: fmt.Sprintf("there is a file %s already", name), Hint: "name another one, or remove it"}
	}
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	n, err = code.Export(io.MultiWriter(file, h), modules)
	if err == nil && n == 0 {
		err = &pipeline.UsageError{Message: "there is no compiled code to export", Hint: "run the function with --compile-cache fill first"}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", 0, errors.Join(err, os.Remove(name))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), n, nil
}

func (a *app) cacheImportCommand() *cobra.Command {
	var f cacheFlags
	var digest string
	cmd := &cobra.Command{
		Use:   "import FILE --digest sha256:…",
		Short: "take compiled code from a file that cache export wrote",
		Long: `Takes compiled code from a file and seals it for this user. The code is executed,
in a jail as all functions are, so the file must be the one whose digest you were
told. Code of another krmsafe or for another processor is passed over, and code
that was compiled on this machine comes first. All runs of this user that use this
cache may take it, under whatever trust policy.`,
		Example: "  krmsafe cache import code.tar --digest sha256:…",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if digest == "" {
				return &pipeline.UsageError{Message: "--digest is missing: nothing else says that the file is what was exported", Hint: "cache export has printed it"}
			}
			code, err := f.openCode()
			if err != nil {
				return err
			}
			if code == nil {
				return errNoCodeCache
			}
			defer func() { _ = code.Close() }()
			data, err := readBounded(args[0], importBytes)
			if err != nil {
				return err
			}
			if sum := sha256.Sum256(data); digest != "sha256:"+hex.EncodeToString(sum[:]) {
				return &pipeline.UsageError{
					Message: fmt.Sprintf("importing %s: its digest is sha256:%s, not %q", args[0], hex.EncodeToString(sum[:]), digest),
					Hint:    "copy the file again, and name the digest that cache export has printed for it",
				}
			}
			got, err := code.Import(bytes.NewReader(data), nil)
			if err != nil {
				return err
			}
			if f.output == "json" {
				return report.WriteJSON(a.out, got)
			}
			_, err = fmt.Fprintf(a.out, "kept the code of %d module(s), passed over %d of another krmsafe or processor\n", got.Kept, got.Skipped)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&digest, "digest", "", "digest of the file, as cache export printed it")
	return cmd
}

// importBytes bounds a file of compiled code.
const importBytes = 4 << 30
