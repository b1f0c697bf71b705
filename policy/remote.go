package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Evaluator carries a request to where policies are evaluated, such as a
// confined child, and brings back what Server.Serve answered there. It bounds
// the time and memory that takes. Where the policy exhausts them or brings its
// child down, the error wraps ErrTimeout, ErrMemory or ErrCrash, and the run is
// refused. Any other error means that nothing was judged.
type Evaluator interface {
	Evaluate(ctx context.Context, request []byte) (response []byte, err error)
}

// Errors by which an Evaluator says what a policy ran out of.
var (
	ErrTimeout = errors.New("policy evaluation took too long")
	ErrMemory  = errors.New("policy evaluation took too much memory")
	ErrCrash   = errors.New("policy evaluation brought its process down")
)

// MaxResponseBytes bounds what an Evaluator needs to accept from Serve.
const MaxResponseBytes = 64 * mib

// response is what comes back: exactly one of its parts is set.
type response struct {
	Digest string     `json:"digest,omitempty"` // loaded
	Value  *value     `json:"value,omitempty"`  // answered
	Reason *Reason    `json:"reason,omitempty"` // gave no answer
	Load   *LoadError `json:"load,omitempty"`
	Errors []Position `json:"errors,omitempty"`
	Failed string     `json:"failed,omitempty"` // nothing was judged
}

type value struct {
	JSON any `json:"json"`
}

// remote is a policy that an Evaluator holds.
type remote struct {
	evaluator Evaluator
	policy    []byte // as encodePolicy wrote it
}

func loadRemote(ctx context.Context, cfg Config) (*Policy, error) {
	text, err := encodePolicy(cfg)
	if err != nil {
		return nil, err
	}
	r := &remote{evaluator: cfg.Evaluator, policy: text}
	answer, err := r.send(ctx, "", nil)
	var failed *evalError
	switch {
	case errors.As(err, &failed):
		return nil, &LoadError{Code: failed.reason.ID, Message: "loading the policy: " + failed.reason.Message, Hint: failed.reason.Remedy}
	case err != nil:
		return nil, err
	case answer.Digest == "":
		return nil, errors.New("loading the policy: the evaluator gave no digest")
	}
	return &Policy{engine: r, digest: answer.Digest, cfg: cfg}, nil
}

func (r *remote) ask(ctx context.Context, e entry, input []byte) (any, error) {
	answer, err := r.send(ctx, e.pkg, input)
	if err != nil {
		return nil, err
	}
	if answer.Value == nil {
		return nil, undefined()
	}
	return answer.Value.JSON, nil
}

// send makes one round trip. Whatever the answer says against the policy comes
// back as an error.
func (r *remote) send(ctx context.Context, entry string, input []byte) (response, error) {
	text, err := encodeRequest(r.policy, entry, input)
	if err != nil {
		return response{}, err
	}
	text, err = r.evaluator.Evaluate(ctx, text)
	switch {
	case errors.Is(err, ErrTimeout):
		return response{}, &evalError{Reason{ReasonTimeout, "evaluating the policy took longer than its child may live", "simplify the policy's rules"}}
	case errors.Is(err, ErrMemory):
		return response{}, &evalError{Reason{ReasonMemory, "evaluating the policy took more memory than its child may have", "simplify the policy's rules"}}
	case errors.Is(err, ErrCrash):
		return response{}, &evalError{Reason{ReasonCrash, oneLine(err.Error()), "simplify the policy's rules; report it if they are simple"}}
	case err != nil:
		return response{}, fmt.Errorf("evaluating the policy: %w", err)
	case len(text) > MaxResponseBytes:
		return response{}, fmt.Errorf("evaluating the policy: an answer of %d bytes exceeds the limit of %d", len(text), MaxResponseBytes)
	}
	var answer response
	if err := strictJSON(text, &answer); err != nil {
		return response{}, fmt.Errorf("reading the answer of the policy's evaluator: %w", err)
	}
	switch {
	case answer.Failed != "":
		return response{}, fmt.Errorf("evaluating the policy: %s", answer.Failed)
	case answer.Load != nil:
		return response{}, answer.Load
	case len(answer.Errors) > 0:
		return response{}, compileError(answer.Errors)
	case answer.Reason != nil:
		return response{}, &evalError{*answer.Reason}
	}
	return answer, nil
}

func strictJSON(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the first value")
	}
	return nil
}

// Server is the child's side of an Evaluator. The zero Server is ready. It
// remembers the last policy it compiled, so that a child that lives on
// compiles it once.
type Server struct {
	mu     sync.Mutex
	key    []byte
	policy *local
}

// Serve answers one request. It always returns an answer; what went wrong is
// in it. It may be called concurrently, but works on one request at a time.
func (s *Server) Serve(ctx context.Context, req []byte) []byte {
	text, err := json.Marshal(s.serve(ctx, req))
	if err != nil || len(text) > MaxResponseBytes {
		text, _ = json.Marshal(response{Reason: &Reason{ReasonShape, "the policy's answer is too large", ""}})
	}
	return text
}

func (s *Server) serve(ctx context.Context, text []byte) response {
	s.mu.Lock()
	defer s.mu.Unlock()
	req, err := decodeRequest(text)
	if err != nil {
		return response{Failed: "reading the request: " + err.Error()}
	}
	l, err := s.load(ctx, req)
	if err != nil {
		return refused(err)
	}
	if req.Entry == "" {
		return response{Digest: l.digest}
	}
	for _, e := range entries {
		if e.pkg == req.Entry {
			answer, err := l.ask(ctx, e, req.input)
			if err != nil {
				return refused(err)
			}
			return response{Value: &value{answer}}
		}
	}
	return response{Failed: fmt.Sprintf("unknown entry %q", req.Entry)}
}

// load compiles the request's policy, or returns the last one if it is that.
func (s *Server) load(ctx context.Context, req request) (*local, error) {
	if s.policy != nil && bytes.Equal(s.key, req.policy) {
		return s.policy, nil
	}
	l, err := loadLocal(ctx, req.cfg)
	if err != nil {
		return nil, err
	}
	s.key, s.policy = bytes.Clone(req.policy), l
	return l, nil
}

func refused(err error) response {
	var (
		load    *LoadError
		compile *CompileError
		failed  *evalError
	)
	switch {
	case errors.As(err, &load):
		return response{Load: load}
	case errors.As(err, &compile):
		return response{Errors: compile.Errors}
	case errors.As(err, &failed):
		return response{Reason: &failed.reason}
	}
	return response{Failed: err.Error()}
}
