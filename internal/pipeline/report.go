package pipeline

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/policy"
)

// ReportVersion names the shape of a Report as JSON. It changes when a field
// changes its meaning or goes; new fields do not change it.
const ReportVersion = "krmsafe.dev/report/v1"

// A Report says what became of one run: what was fetched, who signed it, what
// the policy decided, what the function saw, how it ended, what it said and what
// it changed. Its JSON form is a contract: no list in it is null, values of
// Secrets are never in it, and every text in it that came from outside is raw,
// so whoever shows it to a person cleans it first.
type Report struct {
	Version      string      `json:"version"`
	Outcome      Outcome     `json:"outcome"`
	ExitCode     int         `json:"exitCode"` // of krmsafe; -1 until it is known
	Mode         Mode        `json:"mode"`
	Function     Function    `json:"function"`
	Trust        Trust       `json:"trust"`
	Signatures   []Signature `json:"signatures"`
	Attestations []Signature `json:"attestations"`
	Rejected     []Candidate `json:"rejected"`
	Policy       Policy      `json:"policy"`
	View         View        `json:"view"`
	Run          *Execution  `json:"run"`   // null where nothing ran
	Check        *Check      `json:"check"` // null where nothing changed hands
	Summary      Summary     `json:"summary"`
	Changes      []Change    `json:"changes"`
	Results      []Result    `json:"results"`
	Input        Document    `json:"input"`
	Output       Document    `json:"output"`
	Warnings     []Warning   `json:"warnings"`

	// Emit is the ResourceList to print: what the function returned, with what
	// it was not shown in its place. It is nil unless Outcome is OK.
	Emit *krm.ResourceList `json:"-"`
}

// NewReport is a report of which nothing is known but that it is not OK. It is
// what stands in for the report of a run that could not be judged.
func NewReport() *Report {
	return &Report{
		Version: ReportVersion, ExitCode: -1, Mode: ModeEnforce,
		Signatures: []Signature{}, Attestations: []Signature{}, Rejected: []Candidate{}, Changes: []Change{}, Results: []Result{}, Warnings: []Warning{},
		Policy: Policy{Reasons: []Reason{}, Changes: policy.ChangeGrant{
			Only: []string{}, Add: []policy.KindGrant{}, Remove: []policy.KindGrant{}, Protected: []policy.KindGrant{}, Fields: []policy.FieldGrant{},
		}},
		View: View{
			Request: Selection{Match: []policy.Selector{}, Exclude: []policy.Selector{}},
			Policy:  Selection{Match: []policy.Selector{}, Exclude: []policy.Selector{}},
		},
		Summary: Summary{KindsAdded: []string{}, KindsRemoved: []string{}, KindsChanged: []string{}, ReservedAnnotations: []string{}},
	}
}

func (p *Pipeline) newReport(req Request, input []byte) *Report {
	r := NewReport()
	r.Mode, r.Input = p.cfg.Mode, document(len(req.Input.Items), input)
	r.Function = functionOf(req, Function{})
	r.Policy.Name, r.Policy.Digest = p.cfg.PolicyName, p.cfg.Policy.Digest()
	r.View.Request = Selection{Match: present(req.View.Match), Exclude: present(req.View.Exclude)}
	for _, s := range req.Input.Skipped {
		r.Warnings = append(r.Warnings, Warning{
			Stage: StageFetch, ID: "input.skipped", Message: fmt.Sprintf("%s, document %d: %s: the function does not see it", s.Path, s.Index+1, s.Reason),
		})
	}
	r.Warnings = append(r.Warnings, leftOut(req.Input.LeftOut)...)
	return r
}

// leftOut tells what of a directory nobody looks at, with one warning for each reason.
func leftOut(list []krm.LeftOut) []Warning {
	const shown = 5
	var out []Warning
	names := map[string][]string{}
	var reasons []string
	for _, l := range list {
		if names[l.Reason] == nil {
			reasons = append(reasons, l.Reason)
		}
		names[l.Reason] = append(names[l.Reason], l.Path)
	}
	for _, reason := range reasons {
		paths := names[reason]
		text := strings.Join(paths[:min(shown, len(paths))], ", ")
		if len(paths) > shown {
			text += fmt.Sprintf(" and %d more", len(paths)-shown)
		}
		out = append(out, Warning{Stage: StageFetch, ID: "input.left_out", Message: fmt.Sprintf("left out, %s: %s", reason, text)})
	}
	return out
}

// functionOf adds what the request says of the function.
func functionOf(req Request, f Function) Function {
	f.Role, f.NamedBy = req.Role, req.NamedBy
	return f
}

// A Function says which module was judged. Digest is the digest of the OCI
// manifest and empty for a local file; ModuleDigest is that of the Wasm bytes.
type Function struct {
	Source       string `json:"source"`
	Reference    string `json:"reference"`
	Digest       string `json:"digest"`
	ModuleDigest string `json:"moduleDigest"`
	Layout       string `json:"layout"`
	SizeBytes    int64  `json:"sizeBytes"`
	Role         string `json:"role"`    // transformer, generator or validator
	NamedBy      string `json:"namedBy"` // flag or function-config
}

// Trust says which rule of the trust policy was met. Pinned means that the rule
// allows this digest by name, and no signature was asked for.
type Trust struct {
	Rule   string `json:"rule"`
	Pinned bool   `json:"pinned"`
}

// A Signature is one that verified: by whom, over which digest, and when. An
// attestation is told in the same words.
type Signature struct {
	Authority     string            `json:"authority"`
	Type          string            `json:"type"`
	Format        string            `json:"format"`
	KeyID         string            `json:"keyID"`
	Issuer        string            `json:"issuer"`
	Subject       string            `json:"subject"`
	PredicateType string            `json:"predicateType"`
	Digest        string            `json:"digest"`
	Annotations   map[string]string `json:"annotations"`
	Extensions    map[string]string `json:"extensions"`
	Timestamps    []Timestamp       `json:"timestamps"`
	Logs          []LogEntry        `json:"logs"`
	Unchecked     []string          `json:"unchecked"`
	Evidence      string            `json:"evidence"`
	Source        string            `json:"source"`
}

// A Timestamp is a verified time of signing, RFC 3339 in UTC.
type Timestamp struct {
	Type string `json:"type"`
	URI  string `json:"uri"`
	Time string `json:"time"`
}

// A LogEntry is a verified entry of a transparency log.
type LogEntry struct {
	LogID string `json:"logID"`
	Index int64  `json:"index"`
}

// A Candidate is a piece of evidence that did not count, and why. It explains a
// refusal; no decision rests on it.
type Candidate struct {
	Digest  string `json:"digest"`
	Source  string `json:"source"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	// Issuer and Subject are the identity that signed it, where the reason is
	// that nobody trusts that identity.
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// A Policy says which policy decided whether the function may run, and on what
// terms. Where it was not asked, or refused, the terms are empty.
type Policy struct {
	Name    string             `json:"name"`
	Digest  string             `json:"digest"`
	Allow   bool               `json:"allow"`
	Reasons []Reason           `json:"reasons"`
	Limits  Limits             `json:"limits"`
	Engine  string             `json:"engine"`
	Jail    string             `json:"jail"` // the least that it demands
	Grants  Grants             `json:"grants"`
	Changes policy.ChangeGrant `json:"changes"` // what the function may change
}

// Grants are what the function was given beyond its input.
type Grants struct {
	Clock  bool `json:"clock"`
	Random bool `json:"random"`
	// StdioPaths are its own streams under the names /dev/stdin, /dev/stdout
	// and /dev/stderr.
	StdioPaths bool `json:"stdioPaths"`
}

// A Check is what the policy said of the output.
type Check struct {
	Allow   bool     `json:"allow"`
	Reasons []Reason `json:"reasons"`
}

// A Warning is what does not refuse but should be seen. Waived marks what would
// have refused, had the mode not been ModeWarn.
type Warning struct {
	Stage   Stage  `json:"stage"`
	ID      string `json:"id"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
	Waived  bool   `json:"waived"`
}

// A View says what the function saw of the input. What it did not see was put
// back unchanged.
type View struct {
	Seen     int       `json:"seen"`     // resources
	HeldBack int       `json:"heldBack"` // resources
	Redacted int       `json:"redacted"` // Secrets seen with placeholders in place of their values
	Secrets  string    `json:"secrets"`  // placeholders, values or hidden
	Request  Selection `json:"request"`
	Policy   Selection `json:"policy"`
}

// A Reason is why a policy refused, in its author's words.
type Reason struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// Limits are those the function ran under: the policy's, lowered by the request.
type Limits struct {
	MemoryPages    uint32 `json:"memoryPages"`
	TableElements  uint32 `json:"tableElements"`
	CallDepth      uint32 `json:"callDepth"`
	Fuel           uint64 `json:"fuel"`
	Timeout        string `json:"timeout"`
	CompileTimeout string `json:"compileTimeout"`
	CompileBytes   int64  `json:"compileBytes"`
	OutputBytes    int64  `json:"outputBytes"`
	StderrBytes    int64  `json:"stderrBytes"`
}

// An Execution says how the function ran. ExitCode is the guest's own and is
// never passed on as the exit code of krmsafe.
type Execution struct {
	Engine      string        `json:"engine"`
	Cached      bool          `json:"cached"` // the compiled code came from the cache
	Jail        Jail          `json:"jail"`
	ExitCode    uint32        `json:"exitCode"`
	MemoryPages uint32        `json:"memoryPages"`
	Fuel        uint64        `json:"fuel"`
	CPU         time.Duration `json:"cpuNanoseconds"`
	Wall        time.Duration `json:"wallNanoseconds"`
	PeakBytes   int64         `json:"peakBytes"`
	Stderr      string        `json:"stderr"`
}

// A Jail says what confined the function's process.
type Jail struct {
	Level       string   `json:"level"` // the level that was demanded
	Platform    string   `json:"platform"`
	LandlockABI int      `json:"landlockABI"`
	Layers      []Layer  `json:"layers"`
	Missing     []string `json:"missing"` // names of the layers that did not hold
}

// A Layer is one layer of the jail.
type Layer struct {
	Name   string `json:"name"`
	Held   bool   `json:"held"`
	Detail string `json:"detail"` // why it did not hold
}

// A Change is one difference between the input and the output: a field, or a
// whole resource where Path is empty. Values of Secrets are never in it.
type Change struct {
	Op       string          `json:"op"` // add, remove or replace
	Resource Resource        `json:"resource"`
	Path     []string        `json:"path"`
	Pointer  string          `json:"pointer"`
	Before   json.RawMessage `json:"before"`
	After    json.RawMessage `json:"after"`
}

// A Resource is the identity of a resource.
type Resource struct {
	Group     string `json:"group"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// A Summary counts what changed: resources, and the fields of those that stayed.
type Summary struct {
	Added               int      `json:"added"`
	Removed             int      `json:"removed"`
	Changed             int      `json:"changed"`
	Fields              int      `json:"fields"`
	Reordered           bool     `json:"reordered"`
	KindsAdded          []string `json:"kindsAdded"`
	KindsRemoved        []string `json:"kindsRemoved"`
	KindsChanged        []string `json:"kindsChanged"`
	SecretsTouched      int      `json:"secretsTouched"`
	ReservedAnnotations []string `json:"reservedAnnotations"`
}

// A Result is one that the function reported about the resources it saw.
type Result struct {
	Severity string            `json:"severity"`
	Message  string            `json:"message"`
	Resource ResourceRef       `json:"resource"`
	Field    Field             `json:"field"`
	File     string            `json:"file"`
	Tags     map[string]string `json:"tags"`
}

// A ResourceRef names the resource that a result is about.
type ResourceRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

// A Field is the part of a resource that a result is about.
type Field struct {
	Path          string `json:"path"`
	CurrentValue  string `json:"currentValue"`
	ProposedValue string `json:"proposedValue"`
}

// A Document is a ResourceList on its way in or out: how many items it has,
// how many bytes, and their SHA-256.
type Document struct {
	Items  int    `json:"items"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}
