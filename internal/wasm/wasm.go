// Package wasm reads, validates and writes the WebAssembly binary format. It
// knows the specification, version 2.0, down to every instruction; it does
// not know engines, WASI or policy, and executes nothing.
//
// Decode is a whole decoder and validator rather than a peek at the headers,
// because what stands after it is not safe with hostile bytes: engines
// allocate what a count asks for, compilers are quadratic in some shapes of
// code, and a rewriter that adds a global, an import or a type can make an
// invalid module valid. So every count is checked against the bytes that are
// left and against Limits before anything is allocated, every section must
// end where it says, and every function body is type-checked, all in one pass
// over the bytes.
//
// What Decode does not do: it does not link. That the imports exist, that
// segments fit and that the start function ends is for the sandbox to find.
// Custom sections are listed and otherwise not read, but for producers, of
// which as much is kept as makes sense; both are claims of the module's
// author. See Strip.
//
// # What is accepted
//
// WebAssembly 2.0: the official testsuite of 1.0 and 2.0 passes (TestSpecSuite),
// where 1.0 modules that 2.0 made valid count as valid. Nothing later is
// accepted; each proposal has a code of its own. One thing that the
// specification allows is refused: a vector opcode, or the length in a typed
// select, that is padded to more than its shortest form. Nobody writes it,
// engines read it in different ways, and what two readers read differently
// hides code from one of them.
//
// # Reason codes
//
// Every failure is an *Error whose Code is one of these. They are stable, and
// each has a case in TestReasonCodes.
//
//	module.magic                          not a WebAssembly module at all; the message names what it looks like
//	module.version                        a version of the binary format other than 1
//	module.component                      a component (WASI preview 2), not a core module
//	module.gojs                           a Go module for JavaScript hosts, GOOS=js
//	module.malformed                      breaks the binary grammar in another way than the following
//	module.malformed.truncated            ends too early, or a count or length reaches beyond its section
//	module.malformed.trailing             bytes are left over in a section or function body
//	module.malformed.integer              a LEB128 integer is too long or too large
//	module.malformed.utf8                 a name is not UTF-8
//	module.malformed.section_order        a section stands before one that must precede it
//	module.malformed.section_duplicate    two sections of one kind
//	module.malformed.data_count           the data count section is missing where it must be, or is wrong
//	module.malformed.opcode               a byte that no known version of WebAssembly gives a meaning
//	module.malformed.padded               a vector opcode is not in its shortest form
//	module.invalid                        breaks a validation rule other than the following
//	module.invalid.type                   operands do not have the types that an instruction needs
//	module.invalid.index                  an index of something that does not exist
//	module.invalid.const                  a constant expression that is not constant
//	module.invalid.limits                 a table or memory size out of range, or a minimum above the maximum
//	module.invalid.align                  an alignment above the natural one
//	module.invalid.duplicate_export       two exports of one name
//	module.feature.threads                atomics, shared memories, tables or globals
//	module.feature.tail_call              return_call and return_call_indirect
//	module.feature.exceptions             tags, try, throw, exnref; the legacy form as well
//	module.feature.gc                     structs, arrays, i31, subtypes, recursive types, string references
//	module.feature.typed_references       reference types with an index, call_ref, tables with an initial value
//	module.feature.multi_memory           more than one memory, or a memory index other than zero
//	module.feature.memory64               memories and tables with 64-bit indices
//	module.feature.custom_page_sizes      memories with a page size of their own
//	module.feature.relaxed_simd           vector instructions whose results depend on the machine
//	module.feature.extended_const         arithmetic in constant expressions
//	module.feature.stack_switching        continuations
//	module.feature.wide_arithmetic        128-bit addition and multiplication
//	module.limit.size                     Limits.ModuleBytes
//	module.limit.custom_sections          Limits.CustomSections
//	module.limit.types                    Limits.Types
//	module.limit.params                   Limits.Params
//	module.limit.results                  Limits.Results
//	module.limit.imports                  Limits.Imports
//	module.limit.functions                Limits.Functions
//	module.limit.tables                   Limits.Tables
//	module.limit.table_elements           Limits.TableElements
//	module.limit.memory_pages             Limits.MemoryPages
//	module.limit.globals                  Limits.Globals
//	module.limit.exports                  Limits.Exports
//	module.limit.name_bytes               Limits.NameBytes
//	module.limit.element_segments         Limits.Elements
//	module.limit.element_items            Limits.ElementItems
//	module.limit.data_segments            Limits.DataSegments
//	module.limit.body_bytes               Limits.BodyBytes
//	module.limit.locals                   Limits.Locals
//	module.limit.nesting                  Limits.Nesting
//	module.limit.loops                    Limits.Loops
//	module.limit.loop_nesting             Limits.LoopNesting
//	module.limit.branch_targets           Limits.BranchTargets
//	module.limit.blocks                   Limits.Blocks
//	module.limit.operands                 Limits.Operands
//	module.limit.complexity               Limits.Complexity
//	module.limit.total_locals             Limits.TotalLocals
//	module.limit.arity                    Limits.TotalArity
package wasm
