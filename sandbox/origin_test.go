package sandbox_test

import (
	"bytes"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// Code runs for those who believe the very voucher under which it was taken, and nobody
// can take code under no name or under that of the cache's owner.
func TestVouchersAreKeptApart(t *testing.T) {
	maker := openCache(t, cacheDir(t), nil)
	once(t, maker, asm.Cat(), "hello", ample())
	var archive bytes.Buffer
	if _, err := maker.Export(&archive, nil); err != nil {
		t.Fatal(err)
	}
	c := openCache(t, cacheDir(t), nil)
	s, m := newSandbox(t, sandbox.Config{Cache: c, Engine: sandbox.EngineCompiler}), inspect(t, asm.Cat())
	for _, voucher := range []string{"", "import"} {
		if err := s.ImportCode(bytes.NewReader(archive.Bytes()), m, voucher); err == nil {
			t.Errorf("ImportCode as %q = nil, want an error", voucher)
		}
	}
	if err := s.ImportCode(bytes.NewReader(archive.Bytes()), m, "farm"); err != nil {
		t.Fatal(err)
	}
	for voucher, want := range map[string]string{"": sandbox.CodeNone, "import": sandbox.CodeNone, "other": sandbox.CodeNone, "farm": sandbox.CodeImported} {
		if got := s.CodeOrigin(m, voucher); got != want {
			t.Errorf("CodeOrigin for %q = %s, want %s", voucher, got, want)
		}
		if _, wanted := s.WantsCode(m, voucher); wanted != (want == sandbox.CodeNone) {
			t.Errorf("WantsCode for %q = %v", voucher, wanted)
		}
	}
	do := func(voucher string) bool {
		t.Helper()
		s.Expect(t.Context(), m, "farm") // a child that holds farm's code is no other's
		r, err := s.Do(t.Context(), sandbox.Job{Module: m, Stdin: []byte("hello"), Limits: ample(), Engine: sandbox.EngineCompiler, Voucher: voucher})
		if err != nil || string(r.Stdout) != "hello" {
			t.Fatalf("Do for %q = %+v, %v", voucher, r, err)
		}
		return r.Cached
	}
	if !do("farm") {
		t.Error("farm's code was not taken by who believes farm")
	}
	if do("other") {
		t.Error("farm's code was taken by who believes another")
	}
	if got := s.CodeOrigin(m, "farm"); got != sandbox.CodeLocal {
		t.Errorf("CodeOrigin = %s, want local, which comes first", got)
	}
}
