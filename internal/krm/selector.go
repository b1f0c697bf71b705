package krm

// Selector chooses resources in kpt's words (--match-* and --exclude-*). Every field that is not empty must fit; the
// zero Selector fits nothing.
type Selector struct {
	APIVersion  string
	Kind        string
	Namespace   string
	Name        string
	Labels      map[string]string // all of them
	Annotations map[string]string // all of them
}

func (s Selector) matches(it *Item) bool {
	fits := func(want, have string) bool { return want == "" || want == have }
	if s.APIVersion == "" && s.Kind == "" && s.Namespace == "" && s.Name == "" && len(s.Labels) == 0 && len(s.Annotations) == 0 {
		return false
	}
	if !fits(s.APIVersion, it.APIVersion()) || !fits(s.Kind, it.Kind) || !fits(s.Namespace, it.Namespace) || !fits(s.Name, it.Name) {
		return false
	}
	if len(s.Labels) == 0 && len(s.Annotations) == 0 {
		return true
	}
	n, err := it.tree()
	if err != nil {
		return false // and then encoding the list fails
	}
	meta := field(n, "metadata")
	labels, annotations := field(meta, "labels"), field(meta, "annotations")
	for k, v := range s.Labels {
		if f := field(labels, k); f == nil || f.Value != v {
			return false
		}
	}
	for k, v := range s.Annotations {
		if f := field(annotations, k); f == nil || f.Value != v {
			return false
		}
	}
	return true
}

// SecretMode says what a function sees of Secrets.
type SecretMode int

// Secret modes. The zero mode shows placeholders.
const (
	SecretPlaceholders SecretMode = iota // random stand-ins of one shape, put back in place
	SecretHidden                         // no Secret at all; they are put back in place
	SecretValues                         // the values themselves
)

// View says which resources of a list a function sees, and what of Secrets. The zero View shows every resource, with
// placeholders in Secrets. What is not shown is put back unchanged.
type View struct {
	// Match shows only what at least one selector of it fits; all where it is empty. A function that is shown part
	// by both the operator and the policy sees what both show: see Also.
	Match   []Selector
	Exclude []Selector // hides what at least one of these fits, whatever Match says
	Secrets SecretMode
	Also    *View // a second view that must show a resource too; its other fields are not looked at
	// Moves lets the function choose another file for a resource by its path annotation. The choice is checked as that
	// of a new resource is, and told as a change of the annotation. Without it such an answer is refused.
	Moves bool
}

func (v *View) shows(it *Item) bool {
	if v == nil {
		return true
	}
	fits := func(list []Selector) bool {
		for _, s := range list {
			if s.matches(it) {
				return true
			}
		}
		return false
	}
	if len(v.Match) > 0 && !fits(v.Match) || fits(v.Exclude) {
		return false
	}
	return v.Also.shows(it) && (v.Secrets != SecretHidden || !it.isSecret())
}
