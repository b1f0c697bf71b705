package verify

import (
	"fmt"
	"strings"
	"unicode"
)

// A RefusalError says that the subject did not meet its rule. It is a finding,
// not a failure to judge.
//
// Its codes say what the rule missed:
//
//	verify.no_rule         no rule matches the reference
//	verify.ambiguous_rule  two rules match it equally well
//	verify.digest_ref      the rule asks for a digest in the reference
//	verify.pin             the digest is not one of those pinned
//	verify.no_evidence     nothing came with the subject
//	verify.no_signature    nothing that came counts, for several reasons
//	verify.signers         too few distinct signers
//	verify.all_of          an authority that must have signed did not
//	verify.attestation     a required attestation is missing
//
// If everything that came was rejected for one reason, that reason is the code.
// The reasons for which a candidate is rejected are:
//
//	verify.malformed       it cannot be read, or not in one way only
//	verify.unsupported     it is of a kind that is not read
//	verify.limit           it is larger than anything a signer makes
//	verify.digest          it is about something else
//	verify.predicate       it is an attestation, not a signature
//	verify.key             it was made with a key or certificate nobody asked for
//	verify.signature       it was changed after signing
//	verify.certificate     its certificate is not from a trusted authority, or was not valid
//	verify.sct             its certificate is not proved to be logged
//	verify.tlog            it is not proved to be logged
//	verify.timestamp       nothing trusted says when it was made
//	verify.key_window      it was made outside the key's validity
//	verify.identity        nobody trusts who made it
//	verify.annotation      an annotation that is asked for is not signed
//	verify.repository      it was made for another repository
//	verify.panic           it made a dependency panic
//	verify.internal        the verifier could not be set up: a bug
type RefusalError struct {
	// Code is the stable reason, such as "verify.no_signature".
	Code string
	// Message is one sentence in lower case.
	Message string
	// Hint is the remedy; may be empty.
	Hint string
	// Candidates are the pieces of evidence that did not count, in the order
	// of the evidence.
	Candidates []Candidate
}

// Error returns the message alone: code, hint and candidates are for the
// caller to show.
func (e *RefusalError) Error() string { return e.Message }

// A Candidate is one piece of evidence that did not count.
type Candidate struct {
	// Digest and Source are those of the evidence.
	Digest string
	Source string
	// Code is the stable reason, such as "verify.key" or "verify.digest".
	Code string
	// Message is one sentence in lower case. Text that came from the evidence
	// is quoted.
	Message string
	// Hint is the remedy, where there is one.
	Hint string
	// Identity is the verified identity that signed it, where the reason is
	// that nobody trusts this identity; else nil.
	Identity *CertificateIdentity
}

// A PolicyError says that a trust policy cannot be used, before anything was
// judged.
type PolicyError struct {
	// Code is the stable reason, such as "trust.nobody" or "trust.key".
	Code string
	// Field is where in the policy, in the words of its YAML form, such as
	// "rules[0].authorities[1].key"; may be empty.
	Field string
	// File and Line say where that is in the file that was read; empty and
	// zero for a policy that was not read from one.
	File string
	Line int
	// Message is one sentence in lower case.
	Message string
	// Hint is the remedy; may be empty.
	Hint string
}

// Error returns the position, where there is one, and the message.
func (e *PolicyError) Error() string {
	switch {
	case e.File != "" && e.Line > 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	case e.File != "":
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return e.Message
}

// A failure is the reason why one candidate does not count. It never leaves
// the package.
type failure struct {
	code    string
	message string
	hint    string
	found   *CertificateIdentity
}

func (f *failure) Error() string { return f.message }

func fail(code, format string, args ...any) *failure {
	return &failure{code: code, message: fmt.Sprintf(format, args...)}
}

// oneLine makes a dependency's message fit to be part of one sentence. Such
// messages may quote foreign text, with line ends, escape sequences and marks
// that turn the direction of writing.
func oneLine(s string) string {
	const most = 400
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
