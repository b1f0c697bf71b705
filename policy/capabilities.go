package policy

import (
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// builtins is the allow-list of Rego's functions. What is not here does not
// compile. Left out on purpose: everything that reaches the host or the
// network (http.send, net.lookup_ip_addr, opa.runtime, providers.*), the clock
// and chance (time.now_ns, rand.intn, uuid.rfc4122), host traces, functions
// that make much out of little (bits.*, numbers.range*, net.cidr_expand,
// strings.render_template, graph.*, json.patch), and parsers of foreign
// formats that no decision needs (x509, jwt, graphql, yaml).
// See TestForbiddenBuiltins and CVE-2022-36085 for why this is no deny-list.
const builtins = `
eq equal neq lt lte gt gte assign internal.member_2 internal.member_3 internal.print internal.test_case
internal.template_string print
plus minus mul div rem abs ceil floor round to_number
and or intersection union
array.concat array.reverse array.slice array.flatten
object.get object.keys object.filter object.remove object.subset object.union object.union_n
count sum product max min sort
is_array is_boolean is_null is_number is_object is_set is_string type_name
concat contains endswith startswith indexof lower upper replace split substring sprintf format_int
trim trim_left trim_right trim_prefix trim_suffix trim_space
strings.any_prefix_match strings.any_suffix_match strings.count strings.reverse
glob.match glob.quote_meta regex.match regex.is_valid regex.split regex.find_n
semver.compare semver.is_valid
json.marshal json.unmarshal json.is_valid json.filter json.remove
base64.encode base64.decode base64.is_valid base64url.decode hex.decode hex.encode
crypto.sha256
time.parse_rfc3339_ns time.parse_duration_ns
units.parse units.parse_bytes
walk
rego.metadata.rule rego.metadata.chain
`

// capabilities returns what a policy may use of Rego. It is new on each call,
// for a compiler may keep it, and add to its lists.
func capabilities() *ast.Capabilities {
	c := *allowed()
	return &c
}

// allowed is the same without room in its lists, so that who adds to one has his
// own.
var allowed = sync.OnceValue(func() *ast.Capabilities {
	names := strings.Fields(builtins)
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.Clip(slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return !slices.Contains(names, b.Name) }))
	c.FutureKeywords, c.Features, c.WasmABIVersions = slices.Clip(c.FutureKeywords), slices.Clip(c.Features), slices.Clip(c.WasmABIVersions)
	c.AllowNet = []string{}
	return c
})
