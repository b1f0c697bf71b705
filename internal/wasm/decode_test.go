package wasm_test

import (
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// everything is a module with something in every section and of every feature.
func everything() []byte {
	var m asm.Module
	write := m.WASI("fd_write", i32s(4), asm.Types{asm.I32})
	m.ImportTable("env", "table", asm.FuncRef, 2, 9)
	m.ImportGlobal("env", "base", asm.I32, false)
	m.Table(asm.ExternRef, 1, -1)
	m.Memory(2, 5)
	m.Global(asm.I64, true, asm.I64Const(-1))
	m.Global(asm.I32, false, asm.Op(wasm.OpGlobalGet, 0))
	two := m.Type(nil, asm.Types{asm.I32, asm.I64})
	start := m.Func(nil, nil, asm.Types{asm.I32, asm.F64, asm.V128},
		asm.Block(int64(two), asm.I32Const(1), asm.I64Const(2)), asm.Drop, asm.Drop,
		asm.I32Const(0), asm.Op(0xc0), asm.Set(0), // i32.extend8_s
		asm.Get(1), asm.Op(0xfc02), asm.Drop, // i32.trunc_sat_f64_s
		asm.Get(2), asm.Op(0xfd4d), asm.Set(2), // v128.not
		asm.I32Const(0), asm.I32Const(0), asm.I32Const(4), asm.Op(wasm.OpMemoryInit, 1, 0))
	main := m.Func(nil, nil, nil, asm.Block(asm.Empty, asm.Loop(asm.Empty, asm.I32Const(0), asm.BrTable([]uint32{0, 1}, 2))))
	m.Export("counter", wasm.KindGlobal, 1)
	m.Export("memory", wasm.KindMemory, 0)
	m.ExportFunc("_start", main)
	m.Start(start)
	m.Elements(0, write, main)
	m.Data(16, []byte("active"))
	m.PassiveData([]byte("passive"))
	m.Custom("name", []byte("\x01\x02"))
	m.Custom("producers", producersSection())
	return m.Bytes()
}

func producersSection() []byte {
	b := wasm.AppendU32(nil, 2)
	b = wasm.AppendU32(wasm.AppendName(b, "language"), 1)
	b = wasm.AppendName(wasm.AppendName(b, "Go"), "go1.26.8")
	b = wasm.AppendU32(wasm.AppendName(b, "processed-by"), 2)
	b = wasm.AppendName(wasm.AppendName(b, "clang"), "14.0.6")
	return wasm.AppendName(wasm.AppendName(b, "wasm-opt\xff"), "")
}

func decode(tb testing.TB, module []byte) *wasm.Module {
	tb.Helper()
	m, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestDecodeFindsEverything(t *testing.T) {
	module := everything()
	m := decode(t, module)
	sections := make([]string, 0, len(m.Sections))
	for _, s := range m.Sections {
		sections = append(sections, s.ID.String())
	}
	bodies := make([]string, 0, len(m.Bodies))
	for _, b := range m.Bodies {
		bodies = append(bodies, string(module[b.Start:b.Code]))
		if last := module[b.End-1]; last != byte(wasm.OpEnd) {
			t.Errorf("the body at %d ends in 0x%02x", b.Start, last)
		}
	}
	data := make([]string, 0, len(m.Data))
	for _, d := range m.Data {
		data = append(data, string(module[d.Start:d.End]))
	}
	got := *m
	got.Size, got.Sections, got.Bodies, got.Data, got.CodeBytes, got.LargestBody = 0, nil, nil, nil, 0, 0
	got.Customs = nil
	four := i32s(4)
	want := wasm.Module{
		Types: []wasm.FuncType{
			{Params: four, Results: asm.Types{asm.I32}},
			{Params: asm.Types{}, Results: asm.Types{asm.I32, asm.I64}},
			{Params: asm.Types{}, Results: asm.Types{}},
		},
		Imports: []wasm.Import{
			{Module: "wasi_snapshot_preview1", Name: "fd_write"},
			{Module: "env", Name: "table", Kind: wasm.KindTable, Table: wasm.Table{Type: asm.FuncRef, Size: wasm.SizeRange{Min: 2, Max: 9, HasMax: true}}},
			{Module: "env", Name: "base", Kind: wasm.KindGlobal, Global: wasm.Global{Type: asm.I32}},
		},
		Functions: []uint32{0, 2, 2}, ImportedFunctions: 1,
		Tables: []wasm.Table{
			{Type: asm.FuncRef, Size: wasm.SizeRange{Min: 2, Max: 9, HasMax: true}},
			{Type: asm.ExternRef, Size: wasm.SizeRange{Min: 1}},
		},
		ImportedTables: 1,
		Memories:       []wasm.SizeRange{{Min: 2, Max: 5, HasMax: true}},
		Globals:        []wasm.Global{{Type: asm.I32}, {Type: asm.I64, Mutable: true}, {Type: asm.I32}}, ImportedGlobals: 1,
		Exports:  []wasm.Export{{Name: "counter", Kind: wasm.KindGlobal, Index: 1}, {Name: "memory", Kind: wasm.KindMemory}, {Name: "_start", Index: 2}},
		HasStart: true, Start: 1,
		Elements:     []wasm.Element{{Type: asm.FuncRef, Count: 2}},
		HasDataCount: true, DataCount: 2, DataBytes: 13,
		DeepestNesting: 2,
		Features: wasm.FeatureBulkMemory | wasm.FeatureMultiValue | wasm.FeatureMutableGlobals | wasm.FeatureReferenceTypes |
			wasm.FeatureSaturating | wasm.FeatureSignExtension | wasm.FeatureSIMD,
		Producers: []wasm.Producer{
			{Field: "language", Name: "Go", Version: "go1.26.8"},
			{Field: "processed-by", Name: "clang", Version: "14.0.6"},
			{Field: "processed-by", Name: "wasm-opt\uFFFD"},
		},
		Cost: wasm.Cost{Locals: 3, Loops: 1, LoopNesting: 1, BranchTargets: 3, Blocks: 2, Operands: 3, Complexity: 3, TotalLocals: 3, TotalArity: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"type", "import", "function", "table", "memory", "global", "export", "start",
		"element", "data count", "code", "data", "custom", "custom",
	}, sections); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"\x03\x01\x7f\x01\x7c\x01\x7b", "\x00"}, bodies); diff != "" {
		t.Errorf("locals of bodies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"active", "passive"}, data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"bulk-memory", "multi-value", "mutable-globals", "reference-types",
		"saturating-float-to-int", "sign-extension", "simd",
	}, m.Features.Names()); diff != "" {
		t.Errorf("features (-want +got):\n%s", diff)
	}
}

// TestFeatures sees each feature alone, and none in a module of wasm 1.0.
func TestFeatures(t *testing.T) {
	i32 := asm.I32Const(0)
	for _, tt := range []struct {
		name   string
		module []byte
	}{
		{"", body(nil, i32, asm.I32Load, asm.Drop)},
		{"sign-extension", body(nil, i32, asm.Op(0xc1), asm.Drop)},
		{"saturating-float-to-int", body(nil, wasm.AppendF32([]byte{0x43}, 0), asm.Op(0xfc00), asm.Drop)},
		{"bulk-memory", body(nil, i32, i32, i32, asm.Op(wasm.OpMemoryFill, 0))},
		{"bulk-memory", body(nil, i32, i32, i32, asm.Op(wasm.OpMemoryCopy, 0, 0))},
		{"bulk-memory", build(func(m *asm.Module) { m.PassiveData(nil) })},
		{"reference-types", body(nil, asm.Op(wasm.OpRefNull, 0x6f), asm.Drop)},
		{"reference-types", build(func(m *asm.Module) { m.Type(asm.Types{asm.ExternRef}, nil) })},
		{"reference-types", build(func(m *asm.Module) { m.Table(asm.FuncRef, 0, -1); m.Table(asm.FuncRef, 0, -1) })},
		{"multi-value", build(func(m *asm.Module) { m.Type(nil, i32s(2)) })},
		{"simd", body(asm.Types{asm.V128})},
		{"simd", build(func(m *asm.Module) { m.Type(asm.Types{asm.V128}, nil) })},
		{"mutable-globals", build(func(m *asm.Module) { m.ImportGlobal("m", "g", asm.I32, true) })},
		{"mutable-globals", build(func(m *asm.Module) { m.Export("g", wasm.KindGlobal, m.Global(asm.I32, true, i32)) })},
	} {
		want := []string{}
		if tt.name != "" {
			want = append(want, tt.name)
		}
		if diff := cmp.Diff(want, decode(t, tt.module).Features.Names()); diff != "" {
			t.Errorf("% x (-want +got):\n%s", tt.module, diff)
		}
	}
}

// TestStrip removes custom sections and nothing else.
func TestStrip(t *testing.T) {
	module := everything()
	stripped, err := wasm.Strip(module)
	if err != nil {
		t.Fatal(err)
	}
	m := decode(t, stripped)
	if len(m.Customs) != 0 || len(m.Producers) != 0 {
		t.Errorf("%d custom sections are left", len(m.Customs))
	}
	if before := decode(t, module); len(before.Customs) != 2 || before.Customs[0].Name != "name" || m.CodeBytes != before.CodeBytes {
		t.Errorf("Strip changed more than custom sections")
	}
	if again, err := wasm.Strip(stripped); err != nil || string(again) != string(stripped) {
		t.Errorf("Strip is not idempotent: %v", err)
	}
	if _, err := wasm.Strip([]byte("not a module")); err == nil {
		t.Error("Strip took what is not a module")
	}
}

// TestBrokenProducers: the section is a claim, and a broken one is cut short.
func TestBrokenProducers(t *testing.T) {
	for _, payload := range []string{"", "\xff\xff\xff\xff\x0f", "\x01\x08language\xff\xff\xff\xff\x0f", "\x01\xff\xff\xff\xff\x0f", "\x01\x01a\x02\x01b\x01c\x09"} {
		m := decode(t, build(func(m *asm.Module) { m.Custom("producers", []byte(payload)) }))
		if len(m.Producers) > 1 {
			t.Errorf("%q gave %v", payload, m.Producers)
		}
	}
	long := wasm.AppendU32(wasm.AppendName([]byte{1}, "language"), 1)
	long = wasm.AppendName(wasm.AppendName(long, string(make([]byte, 9000))), "1")
	m := decode(t, build(func(m *asm.Module) { m.Custom("producers", long) }))
	if len(m.Producers) != 1 || len(m.Producers[0].Name) != 256 {
		t.Errorf("a long name was kept in full")
	}
}

// TestHugeCountsCostNothing decodes each module that promises billions of
// elements, and each bomb, and sees how much memory that takes. Time is bound
// by what Limits bound: one pass over the bytes, and TotalArity and
// TotalLocals steps beside it.
func TestHugeCountsCostNothing(t *testing.T) {
	for _, bad := range append(badCounts(), badLimits()...) {
		if bad.limits != nil {
			continue // a small module, refused under small limits only
		}
		t.Run(bad.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := wasm.Decode(bad.module, wasm.DefaultLimits())
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("accepted")
			}
			if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 4<<20+4*uint64(len(bad.module)) {
				t.Errorf("refusing %d bytes allocated %d", len(bad.module), bytes)
			}
		})
	}
}
