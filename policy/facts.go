package policy

import "encoding/json"

// FactsVersion is the value of input.version that an admission policy sees.
// It changes only when a field changes its meaning or goes away.
const FactsVersion = "krmsafe.dev/facts/v1"

// Facts is everything that is known of a run before it starts. As JSON it is
// Rego's input for data.krmsafe.admit. Only Verified is signed truth; Request
// is what the operator asked for, Unverified what anybody could have written.
//
// Every field is always present and every list is never null, so that a rule
// cannot become undefined because a fact was left out. Normalize sees to it.
type Facts struct {
	Version        string         `json:"version" doc:"Version of this document; always krmsafe.dev/facts/v1."`
	Request        Request        `json:"request" doc:"What the operator asked for."`
	Verified       Verified       `json:"verified" doc:"Signed truth: what verification established. Nothing else may justify an allow."`
	Unverified     Unverified     `json:"unverified" doc:"What the registry or the module's author says without a signature."`
	Module         Module         `json:"module" doc:"What krmsafe's own decoder found in the bytes that will run."`
	Runtime        Runtime        `json:"runtime" doc:"Where the module would run."`
	Resources      Resources      `json:"resources" doc:"A summary of the resources in the function's input."`
	FunctionConfig FunctionConfig `json:"functionConfig" doc:"Identity of the functionConfig."`
}

// Request is what the operator asked for, on the command line or in the
// function annotation. It proves nothing about the module.
type Request struct {
	Source     string `json:"source" doc:"Where the module came from." enum:"registry,oci-layout,file"`
	NamedBy    string `json:"namedBy" doc:"Who named the module: the operator by a flag, or the functionConfig, which whoever writes the package writes; empty where the caller does not say." enum:"flag,function-config"`
	Reference  string `json:"reference" doc:"The reference as resolved, or the path of the file."`
	Registry   string `json:"registry" doc:"Host and port of the registry; empty for a file or a layout."`
	Repository string `json:"repository" doc:"Repository inside the registry; empty for a file."`
	Tag        string `json:"tag" doc:"Tag in the reference, or empty."`
	Digest     string `json:"digest" doc:"Digest of the OCI manifest (sha256:…); empty for a file."`
	Pinned     bool   `json:"pinned" doc:"Whether the operator named the module by digest."`
	Date       string `json:"date" doc:"Day of the run in UTC, YYYY-MM-DD; empty where the caller gives none. Dated exceptions compare with it."`
	Flags      Flags  `json:"flags" doc:"Command-line flags that lower safety."`
}

// Flags are the operator's requests to lower safety. A policy may honour them
// or not.
type Flags struct {
	AllowUnsigned bool   `json:"allowUnsigned" doc:"Whether --allow-unsigned was given."`
	RequireJail   string `json:"requireJail" doc:"What --require-jail asks for; full unless the operator asked for less." enum:"full,partial,none"`
	// Mode is empty where the caller has none, and then as good as enforce.
	Mode               string   `json:"mode" doc:"What --mode asks for; warn runs what the policy refuses, without grants and without the values of Secrets." enum:"enforce,warn"`
	PermissivePolicy   []string `json:"permissivePolicy" doc:"What --permissive-policy lets this policy allow, sorted."`
	InsecureIgnoreTLog bool     `json:"insecureIgnoreTLog" doc:"Whether --insecure-ignore-tlog was given; a trust policy file that says it shows in the timestamps of a signature."`
	InsecureIgnoreSCT  bool     `json:"insecureIgnoreSCT" doc:"Whether --insecure-ignore-sct was given."`
}

// Verified is what signature verification established.
type Verified struct {
	Signed       bool          `json:"signed" doc:"Whether the manifest is signed by an authority that the trust policy requires."`
	Rule         string        `json:"rule" doc:"Name of the trust policy's rule that was met, or empty."`
	Signatures   []Signature   `json:"signatures" doc:"Every signature that verified, sorted."`
	Attestations []Attestation `json:"attestations" doc:"Every attestation that verified, sorted."`
}

// Signature is one verified signature.
type Signature struct {
	Authority   string            `json:"authority" doc:"Name of the authority in the trust policy."`
	Type        string            `json:"type" doc:"What the authority trusts." enum:"key,certificate"`
	Format      string            `json:"format" doc:"How the signature was attached." enum:"bundle,legacy,blob"`
	KeyID       string            `json:"keyID" doc:"Hash of the public key; empty for a certificate."`
	Issuer      string            `json:"issuer" doc:"OIDC issuer in the certificate; empty for a key."`
	Subject     string            `json:"subject" doc:"Subject alternative name in the certificate; empty for a key."`
	Annotations map[string]string `json:"annotations" doc:"Annotations inside the signed payload."`
	Extensions  map[string]string `json:"extensions" doc:"Fulcio's certificate extensions by name, such as sourceRepositoryURI."`
	Timestamps  []Timestamp       `json:"timestamps" doc:"Verified times of signing, sorted."`
}

// Timestamp is a verified time at which a signature existed.
type Timestamp struct {
	Type string `json:"type" doc:"What vouches for the time: a transparency log or a timestamping authority." enum:"tlog,tsa"`
	URI  string `json:"uri" doc:"The log or authority, as the trusted root names it."`
	Time string `json:"time" doc:"The time in RFC 3339, UTC."`
}

// Attestation is one verified in-toto statement about the module.
type Attestation struct {
	Authority     string          `json:"authority" doc:"Name of the authority that vouches for the statement."`
	PredicateType string          `json:"predicateType" doc:"The statement's predicate type."`
	Predicate     json.RawMessage `json:"predicate" doc:"The predicate, of a shape that its type defines."`
}

// Unverified is what comes with the module and is not signed on its own.
type Unverified struct {
	Annotations map[string]string `json:"annotations" doc:"Annotations of the OCI manifest."`
}

// Module is what the decoder found in the module's bytes.
type Module struct {
	Digest               string          `json:"digest" doc:"Digest of the module's bytes (sha256:…)."`
	SizeBytes            int64           `json:"sizeBytes" doc:"Size of the module in bytes."`
	Imports              []Import        `json:"imports" doc:"Every import, sorted by module and name."`
	ImportClasses        []string        `json:"importClasses" doc:"The classes that occur in imports, sorted."`
	Exports              []Export        `json:"exports" doc:"Every export, sorted by name."`
	Memory               Memory          `json:"memory" doc:"Linear memory."`
	Tables               []Table         `json:"tables" doc:"Tables in the order of the module."`
	Globals              int             `json:"globals" doc:"Number of globals defined in the module."`
	StartSection         bool            `json:"startSection" doc:"Whether the module has a start section, which runs before the entry point."`
	EntryPoint           string          `json:"entryPoint" doc:"Name of the exported entry point, _start, or empty."`
	Features             []string        `json:"features" doc:"WebAssembly features in use beyond version 1, sorted: sign-extension, saturating-float-to-int, bulk-memory, reference-types, multi-value, simd, mutable-globals."`
	Functions            int             `json:"functions" doc:"Number of functions defined in the module."`
	CodeBytes            int64           `json:"codeBytes" doc:"Size of the code section in bytes."`
	DataBytes            int64           `json:"dataBytes" doc:"Bytes in all data segments."`
	DataSegments         int             `json:"dataSegments" doc:"Number of data segments."`
	LargestFunctionBytes int64           `json:"largestFunctionBytes" doc:"Size of the largest function body in bytes."`
	DeepestNesting       int             `json:"deepestNesting" doc:"Deepest nesting of blocks in any function."`
	Producers            []Producer      `json:"producers" doc:"What the producers section claims, sorted; anybody can write it."`
	CustomSections       []CustomSection `json:"customSections" doc:"Custom sections in the order of the module; they are removed before the module runs."`
}

// Import is one import of the module.
type Import struct {
	Module string `json:"module" doc:"Module name, such as wasi_snapshot_preview1."`
	Name   string `json:"name" doc:"Name inside that module, such as fd_write."`
	Kind   string `json:"kind" doc:"What is imported." enum:"func,table,memory,global"`
	Class  string `json:"class" doc:"What the import is for." enum:"stdio,args,clock,random,fs,net,process,poll,other"`
}

// Export is one export of the module.
type Export struct {
	Name string `json:"name" doc:"Name of the export."`
	Kind string `json:"kind" doc:"What is exported." enum:"func,table,memory,global"`
}

// Memory is the module's linear memory, in pages of 64 KiB.
type Memory struct {
	Declared bool   `json:"declared" doc:"Whether the module defines a memory."`
	Imported bool   `json:"imported" doc:"Whether the module imports a memory."`
	MinPages uint32 `json:"minPages" doc:"Pages the module starts with."`
	MaxPages uint32 `json:"maxPages" doc:"Pages the module says it will not exceed; 65536 where it says nothing."`
	HasMax   bool   `json:"hasMax" doc:"Whether the module declares a maximum."`
}

// Table is one table of the module.
type Table struct {
	Type        string `json:"type" doc:"Element type." enum:"funcref,externref"`
	MinElements uint32 `json:"minElements" doc:"Entries the table starts with."`
	MaxElements uint32 `json:"maxElements" doc:"Entries the table may grow to; 4294967295 where the module says nothing."`
	HasMax      bool   `json:"hasMax" doc:"Whether the table declares a maximum."`
}

// Producer is one line of the producers custom section.
type Producer struct {
	Field   string `json:"field" doc:"language, processed-by or sdk."`
	Name    string `json:"name" doc:"Name of the producer."`
	Version string `json:"version" doc:"Version of the producer."`
}

// CustomSection is one custom section of the module.
type CustomSection struct {
	Name      string `json:"name" doc:"Name of the section."`
	SizeBytes int64  `json:"sizeBytes" doc:"Size of the section in bytes."`
}

// Runtime is where the module would run.
type Runtime struct {
	Engine       string `json:"engine" doc:"Engine that would run the module, such as interpreter or compiler."`
	Jail         string `json:"jail" doc:"How the child process is confined here." enum:"full,partial,none"`
	OS           string `json:"os" doc:"Operating system, in Go's words."`
	Arch         string `json:"arch" doc:"Architecture, in Go's words."`
	CompiledCode string `json:"compiledCode" doc:"Where the compiled code comes from that the run takes from the cache: none, where there is none; local, made on this machine; imported, made elsewhere and signed for that, or imported by hand." enum:"none,local,imported"`
}

// Resources sums up the function's input.
type Resources struct {
	Count           int             `json:"count" doc:"Number of resources."`
	Kinds           []ResourceKinds `json:"kinds" doc:"Resources counted by group, version and kind, sorted."`
	Namespaces      []string        `json:"namespaces" doc:"Namespaces that occur, sorted."`
	ContainsSecrets bool            `json:"containsSecrets" doc:"Whether a core/v1 Secret is among them."`
}

// ResourceKinds counts the resources of one kind.
type ResourceKinds struct {
	Group   string `json:"group" doc:"API group; empty for the core group."`
	Version string `json:"version" doc:"API version."`
	Kind    string `json:"kind" doc:"Kind."`
	Count   int    `json:"count" doc:"Number of resources of this kind."`
}

// FunctionConfig identifies the functionConfig. Its content is the function's
// business and stays out of the facts.
type FunctionConfig struct {
	APIVersion string `json:"apiVersion" doc:"apiVersion of the functionConfig."`
	Kind       string `json:"kind" doc:"Kind of the functionConfig."`
	Name       string `json:"name" doc:"metadata.name of the functionConfig."`
	Namespace  string `json:"namespace" doc:"metadata.namespace of the functionConfig."`
}
