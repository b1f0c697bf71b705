package policy

// Decision is what a policy says of one run. The zero Decision refuses,
// grants nothing, shows nothing and lets nothing change.
type Decision struct {
	Allow    bool        `json:"allow"`
	Reasons  []Reason    `json:"reasons"`  // why not; never empty where Allow is false and the decision came from a Policy
	Warnings []Reason    `json:"warnings"` // what does not refuse but should be seen
	Limits   Limits      `json:"limits"`   // what the run may use
	Grants   Grants      `json:"grants"`   // what the function is given beyond stdin and stdout
	View     View        `json:"view"`     // what the function may see
	Changes  ChangeGrant `json:"changes"`  // what the function may change; input.granted of the output policy
	Engine   string      `json:"engine"`   // EngineAuto, EngineInterpreter or EngineCompiler
	Jail     string      `json:"jail"`     // the least that must confine the child: JailFull, JailPartial or JailNone
	Policy   string      `json:"policy"`   // digest of the policy that decided

	// Waived are the terms of a trial, in which the policy's refusal is only
	// reported: its limits, selection, engine and jail, and neither its grants
	// nor the real values of Secrets, which only what it allows may have. It is
	// nil where Allow is true and where the policy itself is at fault.
	Waived *Decision `json:"-"`
}

// Grants are worldly things that a function gets only where a policy says so.
// Without them its clock is fixed and its random numbers are always the same.
type Grants struct {
	Clock  bool `json:"clock"`
	Random bool `json:"random"`
	// StdioPaths lets it open its own streams by their names, /dev/stdin,
	// /dev/stdout and /dev/stderr. No other path opens.
	StdioPaths bool `json:"stdioPaths"`
}

// View says which resources a function sees. The rest is put back unchanged.
type View struct {
	Secrets string     `json:"secrets"` // SecretsPlaceholders, SecretsValues or SecretsHidden
	Match   []Selector `json:"match"`   // only these; empty for all
	Exclude []Selector `json:"exclude"` // not these, whatever Match says
}

// Selector chooses resources in kpt's words. Every field that is not empty
// must match; the zero Selector in a decision is refused.
type Selector struct {
	APIVersion  string            `json:"apiVersion"`
	Kind        string            `json:"kind"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// ChangeGrant says what a function may change. The shipped output policy reads
// it as input.granted.
type ChangeGrant struct {
	// Only names the allowances of data.krmsafe.lib.allowances that together
	// hold every change; "any" leaves it to the rules of the output policy.
	Only []string `json:"only" doc:"Allowances, one of which every change must fit; any for no such bound."`
	// Add lists the kinds that the allowance "generator" may add.
	Add []KindGrant `json:"add" doc:"Kinds that may be added under the allowance generator."`
	// Remove lists the kinds of which objects may be removed.
	Remove []KindGrant `json:"remove" doc:"Kinds of which objects may be removed."`
	// Protected lists protected kinds (RBAC, webhooks, CRDs, Secrets) that may
	// be added and changed nevertheless.
	Protected []KindGrant `json:"protected" doc:"Protected kinds that may be added and changed nevertheless."`
	// Fields lists single fields that may be changed under the allowance
	// "fields".
	Fields []FieldGrant `json:"fields" doc:"Fields that may be changed under the allowance fields."`
}

// KindGrant names a kind in a group, whatever its version.
type KindGrant struct {
	Group string `json:"group" doc:"API group; empty for the core group."`
	Kind  string `json:"kind" doc:"Kind."`
}

// FieldGrant names a field of a kind.
type FieldGrant struct {
	Group   string `json:"group" doc:"API group; empty for the core group."`
	Kind    string `json:"kind" doc:"Kind."`
	Pointer string `json:"pointer" doc:"JSON pointer of the field; it holds for everything below the field, and * stands for one segment."`
}

// Words that a decision may use.
const (
	EngineAuto        = "auto"
	EngineInterpreter = "interpreter"
	EngineCompiler    = "compiler"

	JailFull    = "full"
	JailPartial = "partial"
	JailNone    = "none"

	SecretsPlaceholders = "placeholders" // random stand-ins of the same shape, restored in place
	SecretsValues       = "values"       // the real values
	SecretsHidden       = "hidden"       // the object is not shown at all

	AllowanceAny = "any"

	// In a decision's grants, words beside true and false.
	GrantClockReal  = "real"  // the clock is the host's
	GrantRandomHost = "host"  // random numbers are the host's
	GrantFixed      = "fixed" // neither is: two runs are alike
)

// refusal is a decision against the run for one reason of krmsafe's own.
func refusal(r Reason, digest string) Decision {
	return Decision{Reasons: []Reason{r}, Warnings: []Reason{}, Policy: digest}
}

// admitKeys are the names that data.krmsafe.admit may define, and outputKeys
// those of data.krmsafe.output. A rule whose name starts with an underscore is
// the policy's own affair.
var (
	admitKeys  = []string{"allow", "reasons", "warnings", "limits", "grants", "view", "changes", "engine", "jail"}
	outputKeys = []string{"allow", "reasons", "warnings"}
)

// decodeAdmit turns what data.krmsafe.admit evaluates to into a decision. It
// never fails: whatever it does not understand is a reason to refuse.
func decodeAdmit(value any) Decision {
	d := &decoder{}
	answer := d.object("krmsafe.admit", value, admitKeys)
	return settle(Decision{
		Allow:    d.allow(answer),
		Reasons:  d.reasons(answer, "reasons"),
		Warnings: d.reasons(answer, "warnings"),
		Limits:   d.limits(answer),
		Grants:   d.grants(answer),
		View:     d.view(answer),
		Changes:  d.changes(answer),
		Engine:   d.word("engine", answer, "engine", EngineAuto, EngineInterpreter, EngineCompiler),
		Jail:     d.word("jail", answer, "jail", JailFull, JailPartial, JailNone),
	}, d.problems)
}

// decodeOutput does the same for data.krmsafe.output.
func decodeOutput(value any) Decision {
	d := &decoder{}
	answer := d.object("krmsafe.output", value, outputKeys)
	return settle(Decision{
		Allow: d.allow(answer), Reasons: d.reasons(answer, "reasons"), Warnings: d.reasons(answer, "warnings"),
	}, d.problems)
}

// settle closes a decision: allow stands only where nothing speaks against.
func settle(out Decision, problems []Reason) Decision {
	var waived *Decision
	switch {
	case len(problems) > 0:
		out.Reasons = append(out.Reasons, problems...)
	case out.Allow && len(out.Reasons) > 0:
		out.Reasons = append(out.Reasons, Reason{
			ID: ReasonContradiction, Message: "the policy allows and gives reasons against",
			Remedy: "make allow depend on the reasons: allow if count(reasons) == 0",
		})
	case !out.Allow && len(out.Reasons) > 0:
		waived = out.trial()
	case !out.Allow && len(out.Reasons) == 0:
		out.Reasons = append(out.Reasons, Reason{
			ID: ReasonUnexplained, Message: "the policy does not allow and gives no reason",
			Remedy: "add a rule to the policy's reasons that says why",
		})
	}
	out.Reasons, out.Warnings = sortReasons(out.Reasons), sortReasons(out.Warnings)
	if len(out.Reasons) > 0 {
		return Decision{Reasons: out.Reasons, Warnings: out.Warnings, Waived: waived}
	}
	return out
}

// trial gives the terms under which what the policy refuses may run where
// refusals are only reported: whatever the policy would have handed over stays
// with krmsafe.
func (d Decision) trial() *Decision {
	d.Reasons, d.Warnings, d.Grants = []Reason{}, []Reason{}, Grants{}
	if d.View.Secrets != SecretsHidden {
		d.View.Secrets = SecretsPlaceholders
	}
	return &d
}
