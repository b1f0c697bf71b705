package sandbox

import "bytes"

// ReadOutcome reads a child's answer as a run does, and encodes it again.
func ReadOutcome(payload []byte, l Limits) (stdout, again []byte, err error) {
	o, err := decodeOutcome(payload, l)
	if err != nil {
		return nil, nil, err
	}
	return o.stdout[0], bytes.Join(o.encode(), nil), nil
}

// Words are the message and hint that go with a code.
func Words(code string, l Limits) (message, hint string) { return stopText(code, l, "detail") }

// AnOutcome is a valid answer.
func AnOutcome() []byte {
	o := outcome{code: CodeGuestExit, exitCode: 3, pages: 1, fuel: 7, stdout: [][]byte{[]byte("a"), []byte("b")}}
	return bytes.Join(o.encode(), nil)
}

// ReadJob reads a job as a child does, and encodes it again.
func ReadJob(payload []byte) ([]byte, error) {
	j, err := decodeJob(payload)
	return j.encode(), err
}

// AJob is a valid job.
func AJob() []byte {
	return job{way: wayCompiler, goGuest: true, limits: Limits{MemoryPages: 1, Fuel: 2}}.encode()
}
