package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// local is a policy compiled in this process.
type local struct {
	questions map[string]*question // by package of the entry
	digest    string
	timeout   time.Duration
}

func loadLocal(ctx context.Context, cfg Config) (*local, error) {
	ample()
	params, err := decodeParams(cfg.Params)
	if err != nil {
		return nil, err
	}
	set, err := assemble(cfg)
	if err != nil {
		return nil, err
	}
	l := &local{questions: map[string]*question{}, digest: digest(set.texts, params), timeout: cfg.Timeout}
	if l.timeout <= 0 {
		l.timeout = DefaultTimeout
	}
	var complaints []Position
	compilers := map[string]*ast.Compiler{}
	for _, e := range entries {
		if len(set.modules[e.pkg]) == 0 {
			continue
		}
		c, err := compile(e, set.modules[e.pkg])
		var failed *CompileError
		switch {
		case errors.As(err, &failed):
			complaints = append(complaints, failed.Errors...)
		case err != nil:
			return nil, err
		default:
			complaints = append(complaints, checkParams(c, params)...)
			compilers[e.pkg] = c
		}
	}
	if len(complaints) > 0 {
		return nil, compileError(complaints)
	}
	for _, e := range entries {
		if c := compilers[e.pkg]; c != nil {
			if l.questions[e.pkg], err = prepare(ctx, e, c, params); err != nil {
				return nil, err
			}
		}
	}
	return l, l.tryCanaries(ctx, cfg.Permissive)
}

// bytesPerTimeout is how much input earns the policy its timeout once more: an
// output of 100,000 resources may take longer to judge than one of ten.
const bytesPerTimeout = 4 * mib

func (l *local) ask(ctx context.Context, e entry, input []byte) (any, error) {
	q := l.questions[e.pkg]
	if q == nil {
		return nil, &evalError{Reason{ReasonUndefined, fmt.Sprintf("no policy defines package %s", e.pkg), "add the package to the policy"}}
	}
	return q.ask(ctx, input, l.timeout*time.Duration(1+len(input)/bytesPerTimeout))
}

func decodeParams(text []byte) (map[string]any, error) {
	params := map[string]any{}
	if len(text) == 0 {
		return params, nil
	}
	bad := func(why string) error {
		return &LoadError{Code: "policy.params", Message: "policy data " + why, Hint: "give one JSON object; policies read it as data.params"}
	}
	if len(text) > maxPolicyBytes {
		return nil, bad(fmt.Sprintf("exceeds the limit of %d bytes", maxPolicyBytes))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&params); err != nil || params == nil {
		return nil, bad("is not a JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("has more after its first value")
	}
	return params, nil
}

func digest(texts [][]byte, params map[string]any) string {
	sums := make([]string, 0, len(texts))
	for _, text := range texts {
		sum := sha256.Sum256(text)
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	slices.Sort(sums)
	whole, err := json.Marshal(struct {
		Format  string
		Modules []string
		Params  map[string]any
	}{"krmsafe.dev/policy/v1", sums, params})
	if err != nil { // cannot be: params came from JSON
		return ""
	}
	sum := sha256.Sum256(whole)
	return "sha256:" + hex.EncodeToString(sum[:])
}
