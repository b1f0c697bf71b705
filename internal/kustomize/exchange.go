package kustomize

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// bookkeeping are the annotations beside those of internalPrefix that kustomize keeps on resources during a build. A
// function sees none of them, so that it can neither lose nor forge them, and they are put back by the resource's name.
var bookkeeping = []string{"config.kubernetes.io/origin", "alpha.config.kubernetes.io/transformations"}

// tidy takes kustomize's annotations from a resource and adds others.
func tidy(r *resource.Resource, add map[string]string) error {
	ann := r.GetAnnotations()
	before := len(ann)
	maps.DeleteFunc(ann, func(key, _ string) bool { return kustomizes(key) })
	if len(ann) == before && len(add) == 0 {
		return nil
	}
	maps.Copy(ann, add)
	return r.SetAnnotations(ann)
}

func kustomizes(key string) bool {
	return strings.HasPrefix(key, internalPrefix) || slices.Contains(bookkeeping, key)
}

// Generate implements resmap.Generator. The only resource that a generator sees is its own configuration: the functions
// of KEP-2906 read it there.
func (p *Plugin) Generate() (resmap.ResMap, error) {
	back, err := p.run(p.text, []string{p.config.Kind})
	if err != nil {
		return nil, p.build.fail(err)
	}
	made := resmap.New()
	for _, r := range back.made {
		if err := generated(r); err != nil {
			return nil, p.build.fail(p.refuseOutput(err))
		}
		if err := made.Append(r); err != nil {
			return nil, p.build.fail(p.refuseOutput(err))
		}
	}
	return made, nil
}

const (
	needsHash = "kustomize.config.k8s.io/needs-hash"
	behavior  = "kustomize.config.k8s.io/behavior"
)

// generated carries out what a generator says of a resource in kustomize's annotations.
func generated(r *resource.Resource) error {
	ann := r.GetAnnotations()
	if value, ok := ann[needsHash]; ok {
		needs, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("the annotation %q of %q is not true or false", needsHash, short(r.GetName()))
		}
		if needs {
			defer r.EnableHashSuffix()
		}
	}
	how := types.NewGenerationBehavior(ann[behavior])
	delete(ann, needsHash)
	delete(ann, behavior)
	if err := r.SetAnnotations(ann); err != nil {
		return err
	}
	r.SetBehavior(how)
	return nil
}

// Transform implements resmap.Transformer. Resources that the function did not change are left as they are, to the style
// of their text: kustomize compares them so after a validator.
func (p *Plugin) Transform(rm resmap.ResMap) error {
	if err := p.transform(rm); err != nil {
		return p.build.fail(err)
	}
	return nil
}

func (p *Plugin) transform(rm resmap.ResMap) error {
	var text bytes.Buffer
	before, kinds := make([][]byte, 0, rm.Size()), make([]string, 0, rm.Size())
	for _, r := range rm.Resources() {
		shown := r.DeepCopy()
		if err := tidy(shown, nil); err != nil {
			return err
		}
		one, err := shown.AsYAML()
		if err != nil {
			return err
		}
		before, kinds = append(before, one), append(kinds, r.GetKind())
		text.WriteString("---\n")
		text.Write(one)
	}
	back, err := p.run(text.Bytes(), kinds)
	if err != nil {
		return err
	}
	if p.function.Role == Validator {
		return p.validated(rm, before, back)
	}
	return p.merge(rm, before, back)
}

// merge brings what a function returned into kustomize's map, by the names that resources have now.
func (p *Plugin) merge(rm resmap.ResMap, before [][]byte, back *answer) error {
	given := slices.Clone(rm.Resources())
	known := places(given)
	for _, r := range back.made {
		at, is := known[placeOf(r)]
		if !is {
			if err := rm.Append(r); err != nil {
				return p.refuseOutput(err)
			}
			continue
		}
		if back.same[at] {
			return p.refuseOutput(fmt.Errorf("it returned %q twice", short(r.GetKind()+" "+r.GetName())))
		}
		back.same[at] = true
		if after, err := r.AsYAML(); err != nil {
			return p.refuseOutput(err)
		} else if bytes.Equal(before[at], after) {
			continue
		}
		old := given[at]
		kept := old.GetAnnotations()
		maps.DeleteFunc(kept, func(key, _ string) bool { return !kustomizes(key) })
		if err := tidy(r, kept); err != nil {
			return err
		}
		old.ResetRNode(r)
	}
	for i, r := range given {
		if !back.same[i] {
			if err := rm.Remove(r.CurId()); err != nil {
				return err
			}
		}
	}
	return nil
}

// validated refuses what a validator changed: it may add one label and nothing else.
func (p *Plugin) validated(rm resmap.ResMap, before [][]byte, back *answer) error {
	given := rm.Resources()
	known := places(given)
	for _, r := range back.made {
		at, is := known[placeOf(r)]
		if !is || back.same[at] {
			return p.validatorChanged("adds resources")
		}
		back.same[at] = true
		after, err := r.AsYAML()
		if err != nil {
			return err
		}
		if bytes.Equal(before[at], after) {
			continue
		}
		if marked, err := mark(given[at], r, after); err != nil || !marked {
			return p.validatorChanged(fmt.Sprintf("changes %q", short(r.GetKind()+" "+r.GetName())))
		}
	}
	if len(back.same) != rm.Size() {
		return p.validatorChanged("removes resources")
	}
	return nil
}

// mark gives a resource the label of a validator, if that is all that the validator did to it.
func mark(r, returned *resource.Resource, after []byte) (bool, error) {
	value, marked := returned.GetLabels()[konfig.ValidatedByLabelKey]
	labels := r.GetLabels()
	if !marked || labels[konfig.ValidatedByLabelKey] == value {
		return false, nil
	}
	labels[konfig.ValidatedByLabelKey] = value
	trial := r.DeepCopy()
	if err := trial.SetLabels(labels); err != nil {
		return false, err
	}
	if err := tidy(trial, nil); err != nil {
		return false, err
	}
	if same, err := trial.AsYAML(); err != nil || !bytes.Equal(same, after) {
		return false, err
	}
	return true, r.SetLabels(labels)
}

// An answer is what a function returned: which resources it left as they were, by their place in its input, and what
// else there is now.
type answer struct {
	same map[int]bool
	made []*resource.Resource
}

// A place is by what kustomize takes two resources for one. Looking resources up by it costs one pass, where kustomize's
// own look-up costs one for each.
type place struct{ group, version, kind, namespace, name string }

func placeOf(r *resource.Resource) place {
	id := r.CurId()
	return place{id.Group, id.Version, id.Kind, id.EffectiveNamespace(), id.Name}
}

// places are where resources are in a list.
func places(list []*resource.Resource) map[place]int {
	at := make(map[place]int, len(list))
	for i, r := range list {
		at[placeOf(r)] = i
	}
	return at
}

// run gives the function its input and takes what it returned. Resources that a Runner gives back as they are are not
// looked at again. kinds are those of the resources in text: one that is read as several, or as something else, cannot be
// shown to a function.
func (p *Plugin) run(text []byte, kinds []string) (*answer, error) {
	b := p.build
	if err := b.guard.going(); err != nil {
		return nil, err
	}
	input, err := krm.ReadStream(text, krm.DefaultLimits())
	if err != nil {
		return nil, p.notShown(err.Error())
	}
	if !input.Plain || !slices.EqualFunc(input.Items, kinds, func(it *krm.Item, kind string) bool { return it.Kind == kind }) {
		return nil, p.notShown("they hold a list of resources, or what looks like one")
	}
	input.FunctionConfig = p.config
	shown := make(map[*krm.Item]int, len(input.Items))
	for i, it := range input.Items {
		shown[it] = i
	}
	b.ran = append(b.ran, p.function)
	out, err := b.options.Runner.Run(b.ctx, Call{Function: p.function, Input: input})
	if err != nil {
		return nil, err
	}
	back := &answer{same: map[int]bool{}}
	var rest []*krm.Item
	for _, it := range out.Items {
		if i, is := shown[it]; is && p.function.Role != Generator && !back.same[i] {
			back.same[i] = true
			continue
		}
		rest = append(rest, it)
	}
	back.made, err = p.make(rest)
	return back, err
}

// make makes kustomize's resources of what a function returned. Bookkeeping in it is invented.
func (p *Plugin) make(items []*krm.Item) ([]*resource.Resource, error) {
	nodes := make([]*yaml.RNode, 0, len(items))
	for _, it := range items {
		n, err := it.Node()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, yaml.NewRNode(n).Copy())
	}
	list, err := p.helpers.ResmapFactory().RF().ResourcesFromRNodes(nodes)
	if err != nil {
		return nil, p.refuseOutput(err)
	}
	for _, r := range list {
		if err := tidy(r, nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (p *Plugin) notShown(why string) error {
	return &RefusedError{
		Code: "build.input", Kustomization: p.function.Kustomization, Entry: p.function.Entry,
		Message: "the resources cannot be shown to the function: " + why, Hint: "keep what is no plain resource from kustomizations with functions",
	}
}

func (p *Plugin) refuseOutput(err error) error {
	return &RefusedError{
		Code: "build.output", Kustomization: p.function.Kustomization, Entry: p.function.Entry, Output: true,
		Message: fmt.Sprintf("what the function returned cannot be used: %v", err),
	}
}

func (p *Plugin) validatorChanged(what string) error {
	return &RefusedError{
		Code: "build.validator", Kustomization: p.function.Kustomization, Entry: p.function.Entry, Output: true,
		Message: "the validator " + what, Hint: "list a function that changes resources under transformers",
	}
}
