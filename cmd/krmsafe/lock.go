package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/sandbox"
)

// lockName is what a lock file is called.
const lockName = "krmsafe.lock"

// lockFlags are the flags of `krmsafe lock`.
type lockFlags struct {
	module moduleFlags
	policy policyFlags
	images []string
	file   string
	check  bool
}

func (a *app) lockCommand() *cobra.Command {
	var f lockFlags
	cmd := &cobra.Command{
		Use:   "lock [DIR]",
		Short: "pin every function of a tree to its digest, signers and policy",
		Long: `Finds the functions that the functionConfigs under a directory name, verifies each,
and writes krmsafe.lock: the digest that each reference led to, who signed it,
and the digest of the policy. krmsafe run --frozen then runs nothing that is not
locked or differs from it, wherever a tag has moved.

With --check nothing is written: it exits with 3 if the lock is not what lock
would write now.`,
		Example: `  krmsafe lock . --trust trust.yaml --policy org.rego
  krmsafe lock . --trust trust.yaml --policy org.rego --check`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			code, err := a.lock(cmd.Context(), f, dir)
			a.code = code
			return err
		},
	}
	f.module.trust.register(cmd)
	f.module.registry.register(cmd)
	f.policy.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.module.allowUnsigned, "allow-unsigned", false, allowUnsignedUsage)
	flags.StringArrayVar(&f.images, "image", nil, "lock this reference as well (repeat for several)")
	flags.StringVar(&f.file, "lock-file", "", "lock file (default: "+lockName+" in the directory)")
	flags.BoolVar(&f.check, "check", false, "write nothing; exit with 3 if the lock is out of date")
	return cmd
}

func (a *app) lock(ctx context.Context, f lockFlags, dir string) (int, error) {
	if f.file == "" {
		f.file = filepath.Join(dir, lockName)
	}
	found, err := krm.FindFunctions(dir, krm.DefaultLimits())
	if err != nil {
		return 0, err
	}
	lock, code, err := a.makeLock(ctx, f, dir, found)
	if err != nil || code != pipeline.ExitOK {
		return code, err
	}
	want, err := lock.Encode()
	if err != nil {
		return 0, err
	}
	if f.check {
		return a.checkLock(f.file, want)
	}
	if err := writeWhole(f.file, want); err != nil {
		return 0, fmt.Errorf("writing the lock: %w", err)
	}
	_, err = fmt.Fprintf(a.err, "krmsafe: locked %d function(s) in %s\n", len(lock.Functions), plain.Line(f.file))
	return pipeline.ExitOK, err
}

// makeLock verifies each function and gives the lock that follows.
func (a *app) makeLock(ctx context.Context, f lockFlags, dir string, found []krm.FoundFunction) (pipeline.Lock, int, error) {
	lock := pipeline.Lock{Functions: []pipeline.LockedItem{}, Dir: filepath.Dir(f.file)}
	rego, err := f.policy.load(ctx, string(sandbox.JailFull))
	if err != nil {
		return lock, 0, err
	}
	defer rego.close()
	lock.Policy = rego.policy.Digest()
	bundles, err := f.module.trust.readBundles()
	if err != nil {
		return lock, 0, err
	}
	tree, err := a.treeRequests(dir, found)
	if err != nil {
		return lock, 0, err
	}
	var named []pipeline.Request
	for _, image := range f.images {
		named = append(named, pipeline.Request{Image: image})
	}
	for _, part := range []struct {
		requests   []pipeline.Request
		publicOnly bool // as in a run: what a tree names is not the operator's choice
	}{{named, false}, {tree, true}} {
		f.module.registry.publicOnly = part.publicOnly
		client, verifier, err := f.module.judges(a)
		if err != nil {
			return lock, 0, err
		}
		p, err := pipeline.New(pipeline.Config{
			Registry: client, Verifier: verifier, AllowUnsigned: f.module.allowUnsigned, Policy: rego.policy, KRM: krm.DefaultLimits(),
		})
		if err != nil {
			return lock, 0, err
		}
		for _, req := range part.requests {
			req.Bundles, req.Input, req.FailOn = bundles, &krm.ResourceList{}, pipeline.FailNever
			rep, err := p.Verify(ctx, req)
			if err != nil {
				return lock, 0, err
			}
			if code := rep.Outcome.ExitCode(); code != pipeline.ExitOK {
				return lock, code, report.Text(a.err, rep, report.Options{})
			}
			if item := pipeline.Locked(rep, lock.Dir); lock.Find(item.Reference) == nil {
				lock.Functions = append(lock.Functions, item)
			}
		}
	}
	return lock, pipeline.ExitOK, nil
}

// treeRequests turns what a tree names into requests. A container or a program is
// not krmsafe's to lock, and said to be left out; any other annotation that names
// no module is an error, since the lock would be silent about it.
func (a *app) treeRequests(dir string, found []krm.FoundFunction) ([]pipeline.Request, error) {
	var requests []pipeline.Request
	for _, fn := range found {
		var syntax *krm.SyntaxError
		if errors.As(fn.Err, &syntax) && syntax.Code == "function.runtime" {
			_, _ = fmt.Fprintf(a.err, "krmsafe: warning: %s is not locked: %s\n", plain.Line(fn.Path), plain.Line(fn.Err.Error()))
			continue
		}
		if fn.Err != nil {
			return nil, fmt.Errorf("reading the function of %s: %w", fn.Path, fn.Err)
		}
		req := pipeline.Request{Image: fn.Spec.Image, File: fn.Spec.File}
		if err := confine(&req, filepath.Join(dir, filepath.Dir(filepath.FromSlash(fn.Path)))); err != nil {
			return nil, err
		}
		requests = append(requests, req)
	}
	return requests, nil
}

// checkLock compares the lock on disk with the one that would be written.
func (a *app) checkLock(file string, want []byte) (int, error) {
	data, err := readBounded(file, pipeline.MaxLockBytes)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = fmt.Fprintf(a.err, "krmsafe: error: there is no %s (lock.missing)\nkrmsafe: hint: write it with krmsafe lock\n", plain.Line(file))
		return pipeline.ExitRefused, err
	}
	if err != nil {
		return 0, fmt.Errorf("reading the lock: %w", err)
	}
	if _, err := pipeline.ParseLock(data); err != nil {
		return 0, fmt.Errorf("reading %s: %w", file, err)
	}
	if bytes.Equal(data, want) {
		_, err = fmt.Fprintf(a.err, "krmsafe: %s is up to date\n", plain.Line(file))
		return pipeline.ExitOK, err
	}
	_, err = fmt.Fprintf(a.err, "krmsafe: error: %s is out of date (lock.stale)\nkrmsafe: hint: run krmsafe lock and review what changed in it\n", plain.Line(file))
	return pipeline.ExitRefused, err
}

// lockedFlags hold a run to a lock file.
type lockedFlags struct {
	frozen bool
	file   string
}

func (f *lockedFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.frozen, "frozen", false, "refuse a module that the lock file does not pin, or that differs from it")
	cmd.Flags().StringVar(&f.file, "lock-file", lockName, "lock file that --frozen reads")
}

// read gives the lock that --frozen holds a run to, nil without it.
func (f *lockedFlags) read() (*pipeline.Lock, error) {
	if !f.frozen {
		return nil, nil
	}
	file := f.file
	data, err := readBounded(file, pipeline.MaxLockBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &pipeline.UsageError{Message: "there is no lock " + file, Hint: "write it with krmsafe lock, or name it with --lock-file"}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the lock: %w", err)
	}
	lock, err := pipeline.ParseLock(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	lock.Dir = filepath.Dir(file)
	return lock, nil
}

// writeWhole replaces a file by a rename, so that it is never half written.
func writeWhole(name string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".krmsafe-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(data); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil { // #nosec G302 -- a lock is for everybody who reads the tree
		return err
	}
	return os.Rename(tmp.Name(), name)
}
