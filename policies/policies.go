// Package policies holds the Rego that krmsafe ships: the library under lib,
// which every policy may import as data.krmsafe.lib, and complete policies in
// the folders beside it: baseline, ci-gate, generators, strict, third-party. It knows no Go beyond the embedding; package policy
// compiles and evaluates what is here.
package policies

import "embed"

// FS holds the Rego files. The library lies in lib, and the policy that holds
// where the operator gives none lies in baseline.
//
//go:embed lib baseline ci-gate generators strict third-party
var FS embed.FS
