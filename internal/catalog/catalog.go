// Package catalog reads and writes catalogs of functions: files in the form of KEP-2906 that say, for the group, version
// and kind of a functionConfig, which module is meant. With one, a functionConfig needs no annotation, and a tree cannot
// choose modules at all.
//
// It knows the form of the file and how strictly it must be read. It does not know registries, signatures or policy: what
// a catalog says of a module's digest and signer only tightens what the operator's trust and policy ask for, and its
// caller holds a run to it. A catalog comes from the operator, as a file that a flag names or from a registry by digest; no
// package looks for one.
//
// # What is added to KEP-2906
//
// runtime.wasip1, beside the KEP's container and exec:
//
//	runtime:
//	  wasip1:
//	    image: ghcr.io/acme/set-labels@sha256:…   # by digest
//	    sha256: "9f86d0…"                         # of the module itself
//	    signers:                                  # of whom one must have signed; none: whoever the operator trusts
//	    - {issuer: https://token.actions.githubusercontent.com, identity: https://github.com/acme/…}
//	    - {key: "sha256:…"}                       # as krmsafe verify shows it
package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// MaxBytes bounds the text of a catalog.
const MaxBytes = 4 << 20

// MaxVersions bounds how many versions of functions a catalog lists, and MaxSigners the signers of each.
const (
	MaxVersions = 2000
	MaxSigners  = 32
)

// Catalog is a set of functions. The zero Catalog knows none. It is not changed by its methods and may be used by several
// goroutines at once.
type Catalog struct {
	Name      string
	Functions []Function // in the order of the file
}

// Function is one version of a function.
type Function struct {
	Group, Version, Kind string
	Description          string
	Publisher            string
	Home                 string // URL
	Usage                string // URL
	License              string
	// Runtime is wasip1, container or exec: the first of them that the catalog names. Only wasip1 is run.
	Runtime string
	// Image is the module's reference, by digest; "" for other runtimes.
	Image string
	// ModuleDigest is "sha256:" and the digest of the module itself, or "".
	ModuleDigest string
	// Signers are those of whom one must have signed; none adds nothing to the operator's trust.
	Signers []Signer
	// Source is what errors call the catalog, and Line where in it, from 1.
	Source string
	Line   int
}

// Signer is a key by its ID, or an identity with its issuer. All of it is exact.
type Signer struct {
	Key      string // "sha256:" and the hex digest of the public key
	Issuer   string
	Identity string
}

// String is the function's group, version and kind.
func (f Function) String() string { return f.Group + "/" + f.Version + " " + f.Kind }

// same says whether two functions are asked for by the same functionConfig. Letters count in no case: clients differ in
// that.
func (f Function) same(group, version, kind string) bool {
	return strings.EqualFold(f.Group, group) && strings.EqualFold(f.Version, version) && strings.EqualFold(f.Kind, kind)
}

// Find gives the function that a functionConfig asks for by its group, version and kind, which must be spelled as the
// catalog spells them.
func (c *Catalog) Find(id krm.Identity) (Function, bool) {
	for _, f := range c.Functions {
		if f.Group == id.Group && f.Version == id.Version && f.Kind == id.Kind {
			return f, true
		}
	}
	return Function{}, false
}

// Merge makes one catalog of several. A group, version and kind that two of them list is a *krm.SyntaxError: neither may
// take the other's place.
func Merge(catalogs ...*Catalog) (*Catalog, error) {
	merged := &Catalog{}
	for _, c := range catalogs {
		for _, f := range c.Functions {
			if err := merged.add(f); err != nil {
				return nil, err
			}
		}
	}
	return merged, nil
}

// add appends a function that is not there yet.
func (c *Catalog) add(f Function) error {
	i := slices.IndexFunc(c.Functions, func(have Function) bool { return have.same(f.Group, f.Version, f.Kind) })
	if i < 0 {
		c.Functions = append(c.Functions, f)
		return nil
	}
	first := c.Functions[i]
	return &krm.SyntaxError{
		Code: "catalog.duplicate", Name: f.Source, Line: f.Line, Hint: "keep one of them",
		Message: fmt.Sprintf("%q is listed already, in line %d of %q", f.String(), first.Line, first.Source),
	}
}

// errEmpty says that a catalog would hold nothing.
var errEmpty = errors.New("a catalog lists at least one function")
