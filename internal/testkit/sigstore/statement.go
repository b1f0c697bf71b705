package sigstore

import (
	"encoding/json"
	"strings"
)

// Statement returns the statement that cosign 3 signs an image with.
func Statement(digest string, annotations map[string]string) []byte {
	return StatementOf(digest, annotations, SignPredicateType, `{}`)
}

// StatementOf returns a statement with any predicate, which must be JSON.
func StatementOf(digest string, annotations map[string]string, predicateType, predicate string) []byte {
	algorithm, value, _ := strings.Cut(digest, ":")
	subject := map[string]any{"digest": map[string]string{algorithm: value}}
	if len(annotations) > 0 {
		subject["annotations"] = annotations
	}
	b, err := json.Marshal(map[string]any{
		"_type": StatementType, "subject": []any{subject}, "predicateType": predicateType, "predicate": json.RawMessage(predicate),
	})
	if err != nil {
		return nil
	}
	return b
}
