package krm

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// FileChange is one file that writing a list back would change.
type FileChange struct {
	Path   string
	Before []byte     // nil where there is no such file yet
	After  []byte     // nil where the file goes
	Gone   []Identity // resources that leave the directory with it
}

// WriteError says why a list cannot be written back to its directory.
type WriteError struct {
	Code    string // stable reason: "write." and a word
	Path    string
	Message string // lower case; foreign text in it is quoted
	Hint    string
}

func (e *WriteError) Error() string { return fmt.Sprintf("%q: %s", e.Path, e.Message) }

// Plan says which files change if out, the List of an Output for this directory's List or for one that came of it, is
// written back. A file of which no resource changed is not in it. In the others, what did not change keeps its bytes:
// other documents, their markers, comments and blank lines, line ends and the byte order mark. A new resource goes to
// the file it asks for, at its end where the file exists, or else to one named after its kind and name.
//
// The error is a *WriteError where a resource cannot be placed, such as into a file that was there and was not read.
func (d *Directory) Plan(out *ResourceList) ([]FileChange, error) {
	p := planner{d: d, now: make(map[*Item]*Item, len(out.Items)), left: map[*Item]bool{}, made: map[string][]*Item{}}
	var came []*Item // to where they were not
	for _, it := range out.Items {
		if !it.made {
			p.left[it.original()] = true
		}
		if !it.made && !it.moved {
			p.now[it.original()] = it
			continue
		}
		came = append(came, it)
	}
	was := map[place][]*Item{}
	for _, it := range d.List.Items {
		was[it.place()] = append(was[it.place()], it)
	}
	for _, it := range came {
		name, err := p.place(it)
		if err != nil {
			return nil, err
		}
		if old := was[place{name, it.Index}]; it.made && len(old) == 1 && p.renamed(old[0], it) {
			p.now[old[0]], p.left[old[0]] = it, true
			continue
		}
		p.made[name] = append(p.made[name], it)
	}
	var changes []FileChange
	for name, src := range d.files {
		after, gone, err := p.rebuild(name, src, was)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(after, src.data) || after == nil {
			changes = append(changes, FileChange{Path: name, Before: src.data, After: after, Gone: gone})
		}
	}
	for name, items := range p.made {
		if d.files[name] != nil {
			continue
		}
		after, err := appendDocuments(nil, items)
		if err != nil {
			return nil, err
		}
		changes = append(changes, FileChange{Path: name, After: after})
	}
	slices.SortFunc(changes, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// place is a document of a file.
type place struct {
	path  string
	index int
}

type planner struct {
	d    *Directory
	now  map[*Item]*Item    // resources that stayed where they were, by what they were
	left map[*Item]bool     // what is still in the list, wherever it goes
	made map[string][]*Item // resources that are new to a file, by that file
}

// place chooses the file of a new resource.
func (p *planner) place(it *Item) (string, error) {
	name := it.Path
	if name == "" {
		name = defaultName(it)
	}
	for have := range p.d.files {
		if strings.EqualFold(have, name) && have != name {
			return "", &WriteError{
				Code: "write.case", Path: name, Message: fmt.Sprintf("%q differs from it only in case", have),
				Hint: "the function must use one spelling",
			}
		}
	}
	for i := range len(name) {
		if name[i] == '/' && p.d.files[name[:i]] != nil {
			return "", &WriteError{Code: "write.exists", Path: name, Message: fmt.Sprintf("%q is a file", name[:i])}
		}
	}
	return path.Clean(name), nil
}

// defaultName is the file of a new resource that asks for none: kyaml's rule.
func defaultName(it *Item) string {
	name := fileName(it.Kind) + "_" + fileName(it.Name) + ".yaml"
	if it.Name == "" {
		name = fileName(it.Kind) + ".yaml"
	}
	if reservedName(name) || slices.Contains(steering, name) {
		name = "resource_" + name
	}
	if folder := fileName(it.Namespace); folder != "" && !reservedName(folder) {
		name = folder + "/" + name
	}
	return name
}

// fileName is a name with the characters that file names have everywhere.
func fileName(s string) string {
	b := []byte(strings.ToLower(s))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '.' && c != '-' || i == 0) {
			b[i] = '-'
		}
	}
	if len(b) > 100 {
		b = b[:100]
	}
	return strings.Trim(string(b), "-.")
}

// rebuild is a file's content with the resources that stayed or were added, nil where nothing of it is left, and what
// is gone of it.
func (p *planner) rebuild(name string, src *source, was map[place][]*Item) (after []byte, gone []Identity, err error) {
	b := bytes.NewBuffer(bytes.Clone(src.data[:len(src.data)-len(src.body)]))
	end := 0 // of what was taken from the file
	kept, dropped := 0, false
	for i, doc := range src.docs {
		gap := src.body[end:doc.start] // with the marker above the document
		end = doc.start + len(doc.text)
		before := was[place{name, i}]
		stays := p.staying(before)
		for _, it := range before {
			if !p.left[it] {
				gone = append(gone, it.Identity)
			}
		}
		if len(before) > 0 && stays == 0 {
			if i == 0 {
				b.Write(head(gap, doc))
			}
			dropped = true
			continue
		}
		if dropped && kept == 0 {
			gap = nil // the marker stood between the dropped document and this one
		}
		b.Write(gap)
		kept++
		text, err := p.document(name, doc, before)
		if err != nil {
			return nil, nil, err
		}
		b.Write(text)
	}
	made := p.made[name]
	if kept == 0 && len(made) == 0 && len(src.docs) > 0 {
		return nil, gone, nil
	}
	b.Write(src.body[end:])
	if len(made) == 0 {
		return b.Bytes(), gone, nil
	}
	added, err := appendDocuments(b.Bytes(), made)
	if err != nil {
		return nil, nil, err
	}
	if usesCRLF(src.body) {
		added = append(bytes.Clone(added[:b.Len()]), toCRLF(added[b.Len():])...)
	}
	return added, gone, nil
}

// renamed says whether a new resource is one that went under another name: it asks for the very place of one of the same
// kind that is not there any more. It stays in its place, with the comments of what did not change.
func (p *planner) renamed(old, made *Item) bool {
	return made.Path != "" && !old.listed && !p.left[old] && old.Group == made.Group && old.Kind == made.Kind
}

// renamedText is the text of a renamed resource.
func renamedText(old, made *Item, dash int) ([]byte, error) {
	was, err := old.tree()
	if err != nil {
		return nil, err
	}
	n, err := made.tree()
	if err != nil {
		return nil, err
	}
	if made.placed {
		n = withoutOrigin(n)
	}
	d := differ{}
	if merged := d.merge(was, n); old.raw != nil && old.form == docText {
		if text, ok := splice(old.raw, was, merged, d.origin); ok && readBack(text, docText, merged) != nil {
			return text, nil
		}
	}
	return made.document(dash)
}

// staying counts the resources of a document that stay in it.
func (p *planner) staying(before []*Item) int {
	n := 0
	for _, it := range before {
		if p.now[it] != nil {
			n++
		}
	}
	return n
}

// document is what a document becomes of which something stays.
func (p *planner) document(name string, doc document, before []*Item) ([]byte, error) {
	changed := false
	for _, it := range before {
		changed = changed || p.now[it] != it
	}
	if !changed {
		return doc.text, nil
	}
	var text []byte
	var err error
	if before[0].listed {
		text, err = p.listDocument(doc, before)
	} else if now := p.now[before[0]]; now.made {
		text, err = renamedText(before[0], now, p.d.List.dash)
	} else {
		text, err = now.document(p.d.List.dash)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding %q of %q: %w", before[0].String(), name, err)
	}
	return likeBefore(text, doc), nil
}

// head is the gap above a file's first document, where that is not the document's own marker.
func head(gap []byte, doc document) []byte {
	if doc.plain {
		return gap
	}
	return nil
}

// likeBefore gives a changed document's text the line ends and the blank lines at its end that it had before.
func likeBefore(text []byte, doc document) []byte {
	if usesCRLF(doc.text) {
		text = toCRLF(text)
	}
	if !bytes.Contains(text, []byte("|+")) && !bytes.Contains(text, []byte(">+")) {
		trimmed := bytes.TrimRight(doc.text, " \t\r\n")
		text = append(bytes.TrimRight(text, "\r\n"), doc.text[len(trimmed):]...)
	}
	if !doc.plain {
		text = append([]byte("---\n"), text...)
	}
	return text
}

// listDocument is a List with what became of its items, written as the List was wherever an item did not change.
func (p *planner) listDocument(doc document, before []*Item) ([]byte, error) {
	root, err := decodeOne(doc.text)
	if err != nil {
		return nil, err
	}
	aliased := hasAlias(root)
	if aliased {
		if root, err = expandAliases(root, enough); err != nil {
			return nil, err
		}
	}
	if err := (&gate{limits: Limits{Nodes: enough, Depth: enough}, expand: true}).pass(root); err != nil {
		return nil, err
	}
	items := field(root, "items")
	if len(items.Content) != len(before) {
		return nil, errChanged
	}
	list := *items
	list.Content = nil
	d := differ{}
	for i, n := range items.Content {
		now := p.now[before[i]]
		switch now {
		case nil:
			continue
		case before[i]:
		default:
			tree, err := now.tree()
			if err != nil {
				return nil, err
			}
			n = d.merge(n, tree)
		}
		list.Content = append(list.Content, n)
	}
	whole := *root
	whole.Content = withField(root.Content, "items", d.madeFrom(&list, items))
	if !aliased && doc.plain {
		if text, ok := splice(doc.text, root, &whole, d.origin); ok && readBack(text, docText, &whole) != nil {
			return text, nil
		}
	}
	text, err := marshalDefused(&whole, layoutOf(root))
	if err == nil && readBack(text, docText, &whole) == nil {
		err = errors.New("the encoded text does not hold the same values")
	}
	return text, err
}

func usesCRLF(text []byte) bool {
	return 2*bytes.Count(text, []byte("\r\n")) > bytes.Count(text, []byte("\n"))
}

func toCRLF(text []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}

// appendDocuments adds resources to the end of a file, in the order of the positions they ask for.
func appendDocuments(file []byte, items []*Item) ([]byte, error) {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b *Item) int { return a.Index - b.Index })
	for _, it := range items {
		doc, err := it.document(0)
		if err != nil {
			return nil, fmt.Errorf("encoding %q: %w", it.String(), err)
		}
		if len(bytes.TrimSpace(bytes.TrimPrefix(file, byteOrderMark))) > 0 {
			file = append(endLine(file), "---\n"...)
		}
		file = append(file, doc...)
	}
	return file, nil
}
