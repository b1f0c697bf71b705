package pipeline

import (
	"time"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// ReportVersion names the shape of a Report as JSON. It changes when a field
// changes its meaning or goes; new fields do not change it.
const ReportVersion = "krmsafe.dev/report/v1"

// A Report says what became of one run: what was fetched, who signed it, what
// the policy decided, how the function ended and what it said. Its JSON form is
// a contract, and every text in it that came from outside is raw: whoever shows
// it to a person cleans it first.
type Report struct {
	Version    string      `json:"version"`
	Outcome    Outcome     `json:"outcome"`
	Function   Function    `json:"function"`
	Signatures []Signature `json:"signatures"`
	Rejected   []Candidate `json:"rejected"`
	Policy     Policy      `json:"policy"`
	Run        *Execution  `json:"run"`
	Results    []Result    `json:"results"`
	Input      Document    `json:"input"`
	Output     Document    `json:"output"`
	Warnings   []string    `json:"warnings"`

	// Emit is the ResourceList that the function returned and that passed
	// every check. It is nil unless Outcome is OK.
	Emit *krm.ResourceList `json:"-"`
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
}

// A Signature is one that verified: by whom, and over which digest.
type Signature struct {
	Authority   string            `json:"authority"`
	Type        string            `json:"type"`
	KeyID       string            `json:"keyID"`
	Issuer      string            `json:"issuer"`
	Subject     string            `json:"subject"`
	Annotations map[string]string `json:"annotations"`
}

// A Candidate is a piece of evidence that did not count, and why. It explains a
// refusal; no decision rests on it.
type Candidate struct {
	Digest  string `json:"digest"`
	Source  string `json:"source"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// A Policy says which policy decided, and what.
type Policy struct {
	Name    string   `json:"name"`
	Digest  string   `json:"digest"`
	Allow   bool     `json:"allow"`
	Reasons []Reason `json:"reasons"`
	Limits  Limits   `json:"limits"`
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
	Jail        string        `json:"jail"`
	ExitCode    uint32        `json:"exitCode"`
	MemoryPages uint32        `json:"memoryPages"`
	Fuel        uint64        `json:"fuel"`
	CPU         time.Duration `json:"cpuNanoseconds"`
	Wall        time.Duration `json:"wallNanoseconds"`
	Stderr      string        `json:"stderr"`
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
