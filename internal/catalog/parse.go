package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/lazy"
	"github.com/krmsafe/krmsafe/internal/oci"
)

// The form of a catalog.
const (
	apiVersion = "config.kubernetes.io/v1alpha1"
	kind       = "Catalog"
)

// Parse reads a catalog. It is strict: one document, no key that KEP-2906 and package catalog do not know, no key twice, no
// alias, no group, version and kind twice, modules by digest only. The error is a *krm.SyntaxError; name is what it calls
// the file.
func Parse(name string, data []byte) (*Catalog, error) {
	p := &parser{name: name, catalog: &Catalog{}}
	limits := krm.Limits{Bytes: MaxBytes, Nodes: 500_000, Depth: 64}
	docs := krm.OpenText(data, limits).Documents()
	if len(docs) != 1 {
		return nil, p.errorf(krm.Place{}, "malformed", "", "it holds %d documents and not one", len(docs))
	}
	if err := docs[0].Err; err != nil {
		if e, ok := err.(*krm.SyntaxError); ok { //nolint:errorlint // OpenText does not wrap it
			e.Name, e.Code = name, "catalog."+strings.TrimPrefix(e.Code, "input.")
		}
		return nil, err
	}
	if err := p.root(docs[0].Root); err != nil {
		return nil, err
	}
	return p.catalog, nil
}

type parser struct {
	name    string
	catalog *Catalog
}

func (p *parser) errorf(at krm.Place, code, hint, format string, args ...any) error {
	return &krm.SyntaxError{Code: "catalog." + code, Name: p.name, Line: at.Line(), Message: fmt.Sprintf(format, args...), Hint: hint}
}

// only demands a mapping with no other keys.
func (p *parser) only(at krm.Place, what string, keys ...string) error {
	if !at.IsMapping() || at.IsAlias() {
		return p.errorf(at, "malformed", "", "%s is not a mapping that is written out", what)
	}
	for _, f := range at.Fields() {
		if !slices.Contains(keys, f.Key()) {
			return p.errorf(f, "key", "use "+strings.Join(keys, ", "), "unknown key %q in %s", short(f.Key()), what)
		}
		if f.IsAlias() {
			return p.errorf(f, "alias", "write it out", "%s of %s is an alias", strconv.Quote(short(f.Key())), what)
		}
	}
	return nil
}

// text is a field that is a string, "" where it is absent.
func (p *parser) text(at krm.Place, key string) (string, error) {
	f := at.Field(key)
	if !f.Exists() {
		return "", nil
	}
	s, ok := f.Text()
	if !ok {
		return "", p.errorf(f, "malformed", "quote it", "%q is not text", key)
	}
	if len(s) > 16<<10 {
		return "", p.errorf(f, "limit", "", "%q is longer than 16 KiB", key)
	}
	return s, nil
}

func (p *parser) root(root krm.Place) error {
	if !root.Exists() {
		return p.errorf(root, "malformed", "", "it is empty")
	}
	if v, _ := root.Field("apiVersion").Text(); v != apiVersion {
		return p.errorf(root, "kind", "a catalog has apiVersion: "+apiVersion+" and kind: "+kind, "its apiVersion is %q", short(v))
	}
	if k, _ := root.Field("kind").Text(); k != kind {
		return p.errorf(root, "kind", "a catalog has apiVersion: "+apiVersion+" and kind: "+kind, "its kind is %q", short(k))
	}
	if err := p.only(root, "the catalog", "apiVersion", "kind", "metadata", "spec"); err != nil {
		return err
	}
	if meta := root.Field("metadata"); meta.Exists() {
		if err := p.only(meta, "metadata", "name", "labels", "annotations"); err != nil {
			return err
		}
		var err error
		if p.catalog.Name, err = p.text(meta, "name"); err != nil {
			return err
		}
	}
	spec := root.Field("spec")
	if err := p.only(spec, "spec", "krmFunctions"); err != nil {
		return err
	}
	list := spec.Field("krmFunctions")
	elements := list.Elements()
	if len(elements) == 0 {
		return p.errorf(spec, "malformed", "", "spec.krmFunctions lists no function")
	}
	listed := map[string]int{} // line by group and kind
	for _, e := range elements {
		if err := p.function(e); err != nil {
			return err
		}
		id, _ := e.At("names", "kind").Text()
		group, _ := e.Field("group").Text()
		key := strings.ToLower(group + "/" + id)
		if line, twice := listed[key]; twice {
			return p.errorf(e, "duplicate", "list all versions of a function together", "%q of %q is listed already, in line %d", short(id), short(group), line)
		}
		listed[key] = e.Line()
	}
	return nil
}

// What names a functionConfig must be spelled in the one way that an API server takes, and its group must be a domain: the
// groups of Kubernetes itself, and those that steer tools, are nobody's functions.
var (
	plainKind    = lazy.Regexp(`^[A-Z][A-Za-z0-9]{0,62}$`)
	plainGroup   = lazy.Regexp(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	plainVersion = lazy.Regexp(`^[a-z][a-z0-9]{0,62}$`)
	hexDigest    = lazy.Regexp(`^[0-9a-f]{64}$`)
)

var steeringGroups = []string{"kustomize.config.k8s.io", "kpt.dev", "config.kubernetes.io"}

// GVK checks what a function is asked for by: "" where it may be in a catalog, else why not.
func GVK(group, version, kind string) string {
	switch {
	case !plainGroup().MatchString(group) || len(group) > 253:
		return fmt.Sprintf("the group %q is not a domain name in small letters", short(group))
	case slices.Contains(steeringGroups, group):
		return fmt.Sprintf("the group %q steers tools", group)
	case !plainKind().MatchString(kind):
		return fmt.Sprintf("the kind %q is not a capital letter and then letters and digits", short(kind))
	case strings.HasSuffix(kind, "List"):
		return fmt.Sprintf("the kind %q ends as that of a list", kind)
	case !plainVersion().MatchString(version):
		return fmt.Sprintf("the version %q is not small letters and digits", short(version))
	}
	return ""
}

func (p *parser) function(at krm.Place) error {
	if err := p.only(at, "a function", "group", "names", "description", "publisher", "versions", "home", "maintainers", "tags"); err != nil {
		return err
	}
	if err := p.only(at.Field("names"), "names", "kind"); err != nil {
		return err
	}
	f := Function{Source: p.name}
	for _, field := range []struct {
		at  krm.Place
		key string
		to  *string
	}{
		{at, "group", &f.Group},
		{at.Field("names"), "kind", &f.Kind},
		{at, "description", &f.Description},
		{at, "publisher", &f.Publisher},
		{at, "home", &f.Home},
	} {
		var err error
		if *field.to, err = p.text(field.at, field.key); err != nil {
			return err
		}
	}
	versions := at.Field("versions").Elements()
	if len(versions) == 0 {
		return p.errorf(at, "malformed", "", "%q of %q has no versions", short(f.Kind), short(f.Group))
	}
	if len(p.catalog.Functions)+len(versions) > MaxVersions {
		return p.errorf(at, "limit", "", "more than %d versions of functions", MaxVersions)
	}
	for _, v := range versions {
		if err := p.version(f, v); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) version(f Function, at krm.Place) error {
	if err := p.only(at, "a version", "name", "schema", "idempotent", "usage", "examples", "license", "maintainers", "runtime"); err != nil {
		return err
	}
	f.Line = at.Line()
	for _, field := range []struct {
		key string
		to  *string
	}{{"name", &f.Version}, {"usage", &f.Usage}, {"license", &f.License}} {
		var err error
		if *field.to, err = p.text(at, field.key); err != nil {
			return err
		}
	}
	if why := GVK(f.Group, f.Version, f.Kind); why != "" {
		return p.errorf(at, "name", "", "%s", why)
	}
	if err := p.runtime(&f, at.Field("runtime")); err != nil {
		return err
	}
	return p.catalog.add(f)
}

func (p *parser) runtime(f *Function, at krm.Place) error {
	if err := p.only(at, "runtime", "wasip1", "container", "exec"); err != nil {
		return err
	}
	for _, runtime := range []struct {
		name string
		keys []string
	}{
		{"exec", []string{"platforms"}},
		{"container", []string{"image", "sha256", "requireNetwork", "requireStorageMount"}},
		{"wasip1", []string{"image", "sha256", "signers"}},
	} {
		r := at.Field(runtime.name)
		if !r.Exists() {
			continue
		}
		if err := p.only(r, "runtime."+runtime.name, runtime.keys...); err != nil {
			return err
		}
		f.Runtime = runtime.name // the last one is the one that is run
	}
	switch f.Runtime {
	case "":
		return p.errorf(at, "malformed", "", "%q names no runtime", f.String())
	case "wasip1":
		return p.wasip1(f, at.Field("wasip1"))
	}
	return nil
}

func (p *parser) wasip1(f *Function, at krm.Place) error {
	image, err := p.text(at, "image")
	if err != nil {
		return err
	}
	ref, err := oci.ParseRef(image)
	if err != nil {
		return p.errorf(at, "image", "", "the module of %q: %s", f.String(), err.Error())
	}
	if !ref.Pinned() {
		return p.errorf(at, "unpinned", "add @sha256:…, as krmsafe push prints it; krmsafe catalog generate does so", "the module of %q is named without a digest", f.String())
	}
	f.Image = ref.String()
	sum, err := p.text(at, "sha256")
	if err != nil {
		return err
	}
	if sum != "" {
		if !hexDigest().MatchString(sum) {
			return p.errorf(at, "digest", "", "sha256 of %q is not 64 small hexadecimal digits", f.String())
		}
		f.ModuleDigest = "sha256:" + sum
	}
	signers := at.Field("signers")
	if signers.Exists() && len(signers.Elements()) == 0 {
		return p.errorf(signers, "signer", "name a signer, or leave signers out", "the signers of %q are nobody", f.String())
	}
	for _, s := range signers.Elements() {
		if err := p.signer(f, s); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) signer(f *Function, at krm.Place) error {
	if err := p.only(at, "a signer", "issuer", "identity", "key"); err != nil {
		return err
	}
	var s Signer
	for _, field := range []struct {
		key string
		to  *string
	}{{"issuer", &s.Issuer}, {"identity", &s.Identity}, {"key", &s.Key}} {
		var err error
		if *field.to, err = p.text(at, field.key); err != nil {
			return err
		}
	}
	hex, isKey := strings.CutPrefix(s.Key, "sha256:")
	switch {
	case s.Key != "" && (s.Issuer != "" || s.Identity != "" || !isKey || !hexDigest().MatchString(hex)),
		s.Key == "" && (s.Issuer == "" || s.Identity == ""):
		return p.errorf(at, "signer", `write {issuer: URL, identity: NAME}, or {key: "sha256:…"} as krmsafe verify shows it`, "a signer of %q is neither an identity with its issuer nor a key's digest", f.String())
	case len(f.Signers) == MaxSigners:
		return p.errorf(at, "limit", "", "%q has more than %d signers", f.String(), MaxSigners)
	}
	f.Signers = append(f.Signers, s)
	return nil
}

// short keeps foreign text readable in a message.
func short(s string) string {
	const keep = 120
	if len(s) <= keep {
		return s
	}
	return strings.ToValidUTF8(s[:keep], "") + "…"
}
