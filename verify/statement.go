package verify

import (
	"encoding/json"
	"slices"
	"strings"
)

// SignPredicateType is the predicate that cosign 3 signs container images
// with. A statement with it is a signature; no other statement is.
const SignPredicateType = "https://sigstore.dev/cosign/sign/v1"

// statementTypes are the in-toto statement layouts that are read. Both have
// the same members here.
var statementTypes = []string{"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"}

// A statement is an in-toto statement, read by exact member names: Go's
// decoder would take "Subject" for "subject", another reader would not.
type statement struct {
	kind          string
	predicateType string
	subjects      []statementSubject
	predicate     []byte
	depth         int
}

type statementSubject struct {
	name        string
	digests     map[string]string
	annotations map[string]string
}

// readStatement reads the payload of a DSSE envelope (in-toto attestation
// framework, v1 and v0.1). It is called before the signature is checked, so it
// believes nothing and bounds everything.
func readStatement(payload []byte) (*statement, error) {
	depth, err := scanJSON(payload, statementScan)
	if err != nil {
		f := asFailure(err)
		return nil, fail(f.code, "the signed statement cannot be read: %s", f.message)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		return nil, fail("verify.malformed", "the signed statement cannot be read: %s", oneLine(err.Error()))
	}
	s := &statement{depth: depth - 1, predicate: members["predicate"]}
	if err := stringMember(members, "_type", &s.kind); err != nil {
		return nil, err
	}
	if !slices.Contains(statementTypes, s.kind) {
		return nil, fail("verify.malformed", "the signed statement has _type %q; in-toto Statement v0.1 and v1 are read", oneLine(s.kind))
	}
	if err := stringMember(members, "predicateType", &s.predicateType); err != nil {
		return nil, err
	}
	if s.predicateType == "" {
		return nil, fail("verify.malformed", "the signed statement has no predicateType")
	}
	s.subjects, err = readSubjects(members["subject"])
	return s, err
}

func readSubjects(raw json.RawMessage) ([]statementSubject, error) {
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, fail("verify.malformed", "the signed statement has no list of subjects")
	}
	if len(list) > MaxSubjects {
		return nil, fail("verify.limit", "the signed statement has %d subjects; at most %d are read", len(list), MaxSubjects)
	}
	out := make([]statementSubject, 0, len(list))
	for _, members := range list {
		var s statementSubject
		if err := stringMember(members, "name", &s.name); err != nil {
			return nil, err
		}
		if json.Unmarshal(members["digest"], &s.digests) != nil || len(s.digests) == 0 {
			return nil, fail("verify.malformed", "a subject of the signed statement has no digests")
		}
		if len(s.digests) > MaxSubjectDigests {
			return nil, fail("verify.limit", "a subject of the signed statement has %d digests; at most %d are read", len(s.digests), MaxSubjectDigests)
		}
		var err error
		if s.annotations, err = stringValues(members["annotations"]); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// stringMember reads an optional member that must be a string.
func stringMember(members map[string]json.RawMessage, name string, into *string) error {
	raw, ok := members[name]
	if ok && json.Unmarshal(raw, into) != nil {
		return fail("verify.malformed", "%q in the signed statement is not a string", name)
	}
	return nil
}

// stringValues reads an optional object and keeps the members that are
// strings: cosign signs nothing else, and a policy can ask for nothing else.
func stringValues(raw json.RawMessage) (map[string]string, error) {
	out := map[string]string{}
	if len(raw) == 0 {
		return out, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil, fail("verify.malformed", "the annotations of a subject are not an object")
	}
	for k, v := range members {
		var text string
		if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &text) == nil {
			out[k] = text
		}
	}
	return out, nil
}

// find returns the first subject that names one of the digests, and that
// digest.
func (s *statement) find(digests []digest) (*statementSubject, digest, error) {
	for i := range s.subjects {
		for _, d := range digests {
			if text, ok := s.subjects[i].digests[d.algorithm]; ok && d.algorithm+":"+text == d.String() {
				return &s.subjects[i], d, nil
			}
		}
	}
	return nil, digest{}, aboutOther("%s", s.about(), digests)
}

// aboutOther says that a signature belongs to something else.
func aboutOther(format, what string, digests []digest) *failure {
	f := fail("verify.digest", "it is about "+format+", not about %s", what, digests[0])
	f.hint = "the signature belongs to another artifact: fetch the one that was signed, or have this one signed"
	return f
}

// about names what the statement is about, for the message.
func (s *statement) about() string {
	var names []string
	for _, sub := range s.subjects {
		for _, algorithm := range []string{"sha256", "sha384", "sha512"} {
			if d, err := parseDigest(algorithm + ":" + sub.digests[algorithm]); err == nil {
				names = append(names, d.String())
				break
			}
		}
	}
	switch {
	case len(names) == 0:
		return "something without a sha256 digest"
	case len(names) > 3:
		return strings.Join(names[:3], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}
