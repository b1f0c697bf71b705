package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type (
	flag    = pflag.Flag
	flagSet = pflag.FlagSet
)

// configurable are the flags that an operator's configuration may set: those that
// say how functions are judged, in whichever verb.
func configurable() *flagSet {
	cmd := &cobra.Command{}
	(&judgeFlags{}).register(cmd)
	(&wrapperFlags{}).register(cmd)
	(&catalogFlags{}).register(cmd)
	return cmd.Flags()
}

// sameFlag reports whether a command's flag is one of those, and not another of
// the same name.
func sameFlag(f, known *flag) bool {
	return known != nil && f.Value.Type() == known.Value.Type() && f.Usage == known.Usage
}

// groups name what belongs together: where a system's file says anything of a
// group, a user's file says nothing of it, so that it cannot relax what holds for
// all users. A key that is in no group and not among the free ones stands for
// itself.
var groups = map[string]string{
	"trust": "trust", "key": "trust", "annotations": "trust", "attestation-type": "trust", "trusted-root": "trust", "bundle": "trust",
	"require-tlog": "trust", "use-signed-timestamps": "trust", "allow-unsigned": "trust",
	"insecure-ignore-tlog": "trust", "insecure-ignore-sct": "trust",
	"policy": "policy", "data": "policy", "permissive-policy": "policy", "mode": "policy", "fail-on": "policy",
	"require-jail": "sandbox", "engine": "sandbox",
	"registry-cacert": "network", "allow-http-registry": "network", "registry-token-host": "network", "offline": "network", "platform": "network",
	"compile-cache": "cache", "compile-cache-dir": "cache", "compile-cache-key": "cache", "compile-cache-size": "cache",
	"frozen": "lock", "lock-file": "lock", "audit-log": "audit", "audit-required": "audit",
}

// free are the keys that decide nothing: a user's file has the last word.
var free = []string{"report", "report-file", "quiet", "show-changes", "registry-config", "cache-dir", "pull-timeout", "results"}

func groupOf(key string) string {
	switch {
	case slices.Contains(free, key):
		return ""
	case strings.HasPrefix(key, "certificate-"):
		return "trust"
	case groups[key] != "":
		return groups[key]
	}
	return key
}

// whom are the flags that name who is trusted.
var whom = []string{"trust", "key", "certificate-identity", "certificate-identity-regexp", "allow-unsigned"}

// replaced reports whether a command line says in other words what a key of the
// configuration says: who names somebody to trust there names all, and another
// policy has other data.
func replaced(key string, said map[string]bool) bool {
	switch {
	case groupOf(key) == "trust" && key != "bundle":
		return slices.ContainsFunc(whom, func(w string) bool { return said[w] })
	case key == "data" || key == "permissive-policy":
		return said["policy"]
	}
	return false
}

// paths are the keys whose values are files or folders, with the words that they
// take as well.
var paths = map[string][]string{
	"trust": nil, "key": nil, "trusted-root": nil, "bundle": nil, "data": nil, "registry-config": nil, "registry-cacert": nil,
	"lock-file": nil, "report-file": nil, "functions": nil, "compile-cache-dir": nil, "compile-cache-key": nil, "audit-log": {"-"}, "cache-dir": {"auto", "none"},
}

// anchored is a value of which a relative path is taken from the configuration's
// own folder: the current one is the tree's.
func anchored(key, value, dir string) string {
	join := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	if key == "policy" || key == "catalog" {
		if layout, is := strings.CutPrefix(value, "oci-layout:"); is {
			return "oci-layout:" + join(layout)
		}
		if key == "policy" && strings.HasPrefix(value, builtin) || strings.Contains(value, "://") {
			return value
		}
		return join(value)
	}
	if plain, is := paths[key]; is && !slices.Contains(plain, value) {
		return join(value)
	}
	return value
}
