package policy

// Decision is what a policy says of one run. The zero Decision refuses.
type Decision struct {
	Allow    bool     `json:"allow"`
	Reasons  []Reason `json:"reasons"`  // why not; never empty where Allow is false and the decision came from Admit
	Warnings []Reason `json:"warnings"` // what does not refuse but should be seen
	Limits   Limits   `json:"limits"`   // what the run may use; zero where Allow is false
	Policy   string   `json:"policy"`   // digest of the policy that decided
}

// refusal is a decision against the run for one reason of krmsafe's own.
func refusal(id, message, remedy string) Decision {
	return Decision{Reasons: []Reason{{ID: id, Message: message, Remedy: remedy}}, Warnings: []Reason{}}
}

// admitKeys are the names that data.krmsafe.admit may define. A rule whose
// name starts with an underscore is the policy's own affair.
var admitKeys = []string{"allow", "reasons", "warnings", "limits"}

// decodeAdmit turns what data.krmsafe.admit evaluates to into a decision. It
// never fails: whatever it does not understand is a reason to refuse.
func decodeAdmit(value any) Decision {
	d := &decoder{}
	answer := d.object("krmsafe.admit", value, admitKeys)
	out := Decision{
		Allow:    d.allow(answer),
		Warnings: sortReasons(d.reasons(answer, "warnings")),
		Limits:   d.limits(answer),
	}
	out.Reasons = d.reasons(answer, "reasons")
	return settle(out, d.problems)
}

// settle closes a decision: allow stands only where nothing speaks against.
func settle(out Decision, problems []Reason) Decision {
	switch {
	case len(problems) > 0:
		out.Reasons = append(out.Reasons, problems...)
	case out.Allow && len(out.Reasons) > 0:
		out.Reasons = append(out.Reasons, Reason{
			ID: ReasonContradiction, Message: "the policy allows and gives reasons against",
			Remedy: "make allow depend on the reasons: allow if count(reasons) == 0",
		})
	case !out.Allow && len(out.Reasons) == 0:
		out.Reasons = append(out.Reasons, Reason{
			ID: ReasonUnexplained, Message: "the policy does not allow and gives no reason",
			Remedy: "add a rule to the policy's reasons that says why",
		})
	}
	out.Reasons = sortReasons(out.Reasons)
	if len(out.Reasons) == 0 {
		out.Reasons = []Reason{}
		return out
	}
	return Decision{Reasons: out.Reasons, Warnings: out.Warnings}
}
