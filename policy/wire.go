package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A request has two parts, the policy and the question, each a line of JSON with
// the lengths of what follows it, raw. Texts are half of the time that JSON would
// take, and the first part is the same for every question: it is written once, and
// compared as it is.

// request is what goes to the child. It is whole in itself, so that a child may
// serve one request and end, or many and remember what it compiled.
type request struct {
	policy []byte // the first part as it was sent; it tells policies apart
	cfg    Config
	asked
	input []byte
}

type policyHead struct {
	Library    []textHead    `json:"library"`
	Defaults   []textHead    `json:"defaults"`
	Sources    []textHead    `json:"sources"`
	Given      bool          `json:"given"` // Sources is not nil
	Params     int           `json:"params"`
	Timeout    time.Duration `json:"timeout"`
	Permissive []string      `json:"permissive"`
}

type textHead struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
}

type asked struct {
	Entry string `json:"entry"` // empty to load only
	Bytes int    `json:"bytes"` // of the input
}

// encodePolicy writes the first part of every request.
func encodePolicy(cfg Config) ([]byte, error) {
	head := policyHead{Given: cfg.Sources != nil, Params: len(cfg.Params), Timeout: cfg.Timeout, Permissive: cfg.Permissive}
	var texts [][]byte
	for _, list := range []struct {
		from []Source
		to   *[]textHead
	}{{cfg.Library, &head.Library}, {cfg.Defaults, &head.Defaults}, {cfg.Sources, &head.Sources}} {
		for _, s := range list.from {
			*list.to = append(*list.to, textHead{Name: s.Name, Bytes: len(s.Text)})
			texts = append(texts, s.Text)
		}
	}
	line, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("writing a request for the policy's evaluator: %w", err)
	}
	return bytes.Join([][]byte{line, []byte("\n"), bytes.Join(texts, nil), cfg.Params}, nil), nil
}

// encodeRequest adds a question to a policy.
func encodeRequest(policy []byte, entry string, input []byte) ([]byte, error) {
	line, err := json.Marshal(asked{Entry: entry, Bytes: len(input)})
	if err != nil {
		return nil, fmt.Errorf("writing a request for the policy's evaluator: %w", err)
	}
	return bytes.Join([][]byte{policy, line, []byte("\n"), input}, nil), nil
}

var errCut = errors.New("it is shorter than it says")

// decodeRequest reads what the two above wrote. It keeps parts of text.
func decodeRequest(text []byte) (request, error) {
	var (
		head policyHead
		req  request
	)
	rest, err := readLine(text, &head)
	if err != nil {
		return request{}, err
	}
	take := func(n int) (part []byte) {
		if n < 0 || n > len(rest) {
			err, n = errCut, 0
		}
		part, rest = rest[:n:n], rest[n:]
		return part
	}
	sources := func(list []textHead) (out []Source) {
		for _, t := range list {
			out = append(out, Source{Name: t.Name, Text: take(t.Bytes)})
		}
		return out
	}
	req.cfg = Config{Library: sources(head.Library), Defaults: sources(head.Defaults), Sources: sources(head.Sources), Timeout: head.Timeout, Permissive: head.Permissive}
	if head.Given && req.cfg.Sources == nil {
		req.cfg.Sources = []Source{}
	}
	req.cfg.Params = take(head.Params)
	req.policy = text[:len(text)-len(rest)]
	if err != nil {
		return request{}, err
	}
	if rest, err = readLine(rest, &req.asked); err != nil {
		return request{}, err
	}
	if req.Bytes != len(rest) {
		return request{}, errCut
	}
	req.input = rest
	return req, nil
}

// readLine decodes the first line of text, and returns what is behind it.
func readLine(text []byte, into any) (rest []byte, err error) {
	line, rest, ended := bytes.Cut(text, []byte("\n"))
	if !ended {
		return nil, errCut
	}
	return rest, strictJSON(line, into)
}
