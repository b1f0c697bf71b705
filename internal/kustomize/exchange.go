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
	out, err := p.run(p.text)
	if err != nil {
		return nil, p.build.fail(err)
	}
	made, err := p.made(out)
	if err != nil {
		return nil, p.build.fail(err)
	}
	for _, r := range made.Resources() {
		if err := generated(r); err != nil {
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
	before := make([][]byte, 0, rm.Size())
	for _, r := range rm.Resources() {
		shown := r.DeepCopy()
		if err := tidy(shown, nil); err != nil {
			return err
		}
		one, err := shown.AsYAML()
		if err != nil {
			return err
		}
		before = append(before, one)
		text.WriteString("---\n")
		text.Write(one)
	}
	out, err := p.run(text.Bytes())
	if err != nil {
		return err
	}
	returned, err := p.made(out)
	if err != nil {
		return err
	}
	if p.function.Role == Validator {
		return p.validated(rm, before, returned)
	}
	return p.merge(rm, before, returned)
}

// merge brings what a function returned into kustomize's map, by the names that resources have now.
func (p *Plugin) merge(rm resmap.ResMap, before [][]byte, returned resmap.ResMap) error {
	for _, r := range returned.Resources() {
		at, err := rm.GetIndexOfCurrentId(r.CurId())
		if err != nil {
			return p.refuseOutput(err)
		}
		if at < 0 {
			if err := rm.Append(r); err != nil {
				return p.refuseOutput(err)
			}
			continue
		}
		if at < len(before) {
			if after, err := r.AsYAML(); err != nil {
				return p.refuseOutput(err)
			} else if bytes.Equal(before[at], after) {
				continue
			}
		}
		old := rm.GetByIndex(at)
		kept := old.GetAnnotations()
		maps.DeleteFunc(kept, func(key, _ string) bool { return !kustomizes(key) })
		if err := tidy(r, kept); err != nil {
			return err
		}
		old.ResetRNode(r)
	}
	for _, id := range rm.AllIds() {
		if at, _ := returned.GetIndexOfCurrentId(id); at < 0 {
			if err := rm.Remove(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// validated refuses what a validator changed: it may add one label and nothing else.
func (p *Plugin) validated(rm resmap.ResMap, before [][]byte, returned resmap.ResMap) error {
	if returned.Size() != rm.Size() {
		return p.validatorChanged("adds or removes resources")
	}
	for i, r := range rm.Resources() {
		at, err := returned.GetIndexOfCurrentId(r.CurId())
		if err != nil || at < 0 {
			return p.validatorChanged("adds or removes resources")
		}
		other := returned.GetByIndex(at)
		after, err := other.AsYAML()
		if err != nil {
			return err
		}
		if bytes.Equal(before[i], after) {
			continue
		}
		mark, marked := other.GetLabels()[konfig.ValidatedByLabelKey]
		labels := r.GetLabels()
		if !marked || labels[konfig.ValidatedByLabelKey] == mark {
			return p.validatorChanged(fmt.Sprintf("changes %q", short(r.GetKind()+" "+r.GetName())))
		}
		labels[konfig.ValidatedByLabelKey] = mark
		trial := r.DeepCopy()
		if err := trial.SetLabels(labels); err != nil {
			return err
		}
		if err := tidy(trial, nil); err != nil {
			return err
		}
		if same, err := trial.AsYAML(); err != nil || !bytes.Equal(same, after) {
			return p.validatorChanged(fmt.Sprintf("changes %q", short(r.GetKind()+" "+r.GetName())))
		}
		if err := r.SetLabels(labels); err != nil {
			return err
		}
	}
	return nil
}

// run gives the function its input and takes what it returned.
func (p *Plugin) run(text []byte) (*krm.ResourceList, error) {
	b := p.build
	if err := b.guard.going(); err != nil {
		return nil, err
	}
	input, err := krm.ReadStream(text, krm.DefaultLimits())
	if err != nil {
		return nil, err
	}
	input.FunctionConfig = p.config
	b.ran = append(b.ran, p.function)
	return b.options.Runner.Run(b.ctx, Call{Function: p.function, Input: input})
}

// made makes kustomize's resources of what a function returned. Bookkeeping in it is invented.
func (p *Plugin) made(out *krm.ResourceList) (resmap.ResMap, error) {
	nodes := make([]*yaml.RNode, 0, len(out.Items))
	for _, it := range out.Items {
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
	made := resmap.New()
	for _, r := range list {
		if err := tidy(r, nil); err != nil {
			return nil, err
		}
		if err := made.Append(r); err != nil {
			return nil, p.refuseOutput(err)
		}
	}
	return made, nil
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
