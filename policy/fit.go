package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// fitter finds the smallest grant that holds changes.
type fitter struct {
	policy *Policy
	grant  ChangeGrant
	notes  []string
	seen   map[string]bool
}

// maxShapes bounds the kinds of changes that Init looks at one by one.
const maxShapes = 2000

var errManyShapes = errors.New("drawing a policy: the run changed too many different fields to grant them one by one")

func (f *fitter) fit(ctx context.Context, changes Changes) error {
	halves := map[string]Change{}
	for _, c := range changes.Changes {
		if len(c.Path) == 0 {
			halves[half(c.Op, c.Resource)] = c
		}
	}
	for _, change := range changes.Changes {
		together := []Change{change}
		if partner, ok := partnerOf(change, halves); ok {
			together = append(together, partner)
		}
		shape := join(change.Op, change.Resource.Group, change.Resource.Kind, shapeOf(change.Path), fmt.Sprint(len(together)))
		if f.seen[shape] {
			continue
		}
		if len(f.seen) == maxShapes {
			return errManyShapes
		}
		f.seen[shape] = true
		if err := f.one(ctx, changes, together); err != nil {
			return err
		}
	}
	return nil
}

func half(op string, r ResourceID) string { return join(op, r.Group, r.Kind, r.Name) }

// partnerOf finds the other half of a move to another namespace: an object
// that goes where one of the same kind and name comes, or the reverse.
func partnerOf(change Change, halves map[string]Change) (Change, bool) {
	if len(change.Path) > 0 {
		return Change{}, false
	}
	other := OpAdd
	if change.Op == OpAdd {
		other = OpRemove
	}
	partner, ok := halves[half(other, change.Resource)]
	return partner, ok
}

// one grants a change what it needs: the first allowance that holds it, at
// last its field, and its kind where that is protected. A change that is half
// of a move comes with the other half, and is tried alone after that.
func (f *fitter) one(ctx context.Context, changes Changes, together []Change) error {
	change := together[0]
	kind := KindGrant{Group: change.Resource.Group, Kind: change.Resource.Kind}
	whole := len(change.Path) == 0
	var grants []ChangeGrant
	for _, only := range []string{"labels-and-annotations", "images", "resources-and-replicas", "namespace"} {
		grants = append(grants, ChangeGrant{Only: []string{only}})
	}
	switch {
	case whole && change.Op == OpRemove:
		grants = append(grants, ChangeGrant{Remove: []KindGrant{kind}})
	case whole:
		grants = append(grants, ChangeGrant{Only: []string{"generator"}, Add: []KindGrant{kind}})
	default:
		grants = append(grants, ChangeGrant{Only: []string{"fields"}, Fields: []FieldGrant{{kind.Group, kind.Kind, shapeOf(change.Path)}}})
	}
	for _, protected := range [][]KindGrant{nil, {kind}} {
		for _, grant := range grants {
			grant.Protected = protected
			changes.Changes, changes.Granted = together, grant.normalize()
			if len(grant.Add)+len(grant.Remove) > 0 {
				changes.Changes = together[:1]
			}
			decision, err := f.policy.Check(ctx, changes)
			if err != nil {
				return err
			}
			if decision.Allow {
				f.grant.Only = with(f.grant.Only, grant.Only...)
				f.grant.Add = with(f.grant.Add, grant.Add...)
				f.grant.Remove = with(f.grant.Remove, grant.Remove...)
				f.grant.Protected = with(f.grant.Protected, grant.Protected...)
				f.grant.Fields = with(f.grant.Fields, grant.Fields...)
				if protected != nil {
					f.notes = with(f.notes, fmt.Sprintf("the function changes objects of the protected kind %s", kind.Kind))
				}
				return nil
			}
		}
	}
	f.notes = append(f.notes, fmt.Sprintf("no grant lets the function %s %s of %s %s; the output policy will refuse it",
		change.Op, cmp.Or(shapeOf(change.Path), "the whole"), kind.Kind, change.Resource.Name))
	return nil
}

// with adds to a list what it does not hold yet.
func with[T comparable](list []T, items ...T) []T {
	for _, item := range items {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}

// shapeOf is the pointer of a path with a star for each element of a list.
func shapeOf(path []string) string {
	var b strings.Builder
	for _, segment := range path {
		if strings.HasPrefix(segment, "[") {
			segment = "*"
		}
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(segment))
	}
	return b.String()
}
