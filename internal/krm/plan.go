package krm

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// FileChange is one file that writing a list back would change.
type FileChange struct {
	Path   string
	Before []byte // nil where there is no such file yet
	After  []byte // nil where the file goes
}

// WriteError says why a list cannot be written back to its directory.
type WriteError struct {
	Code    string // stable reason: "write." and a word
	Path    string
	Message string // lower case; foreign text in it is quoted
	Hint    string
}

func (e *WriteError) Error() string { return fmt.Sprintf("%q: %s", e.Path, e.Message) }

// Plan says which files change if out, the List of an Output for this directory's List, is written back. A file of
// which no resource changed is not in it. In the others, what did not change keeps its bytes: other documents, their
// markers, comments and blank lines, line ends and the byte order mark. A new resource goes to the file it asks for,
// at its end where the file exists, or else to one named after its kind and name.
//
// The error is a *WriteError where a resource cannot be placed: into a file that was there and was not read, or out
// of a List that shares one document among several resources.
func (d *Directory) Plan(out *ResourceList) ([]FileChange, error) {
	p := planner{d: d, at: map[place][]*Item{}, made: map[string][]*Item{}}
	for _, it := range out.Items {
		if it.made || it.moved {
			name, err := p.place(it)
			if err != nil {
				return nil, err
			}
			p.made[name] = append(p.made[name], it)
			continue
		}
		p.at[place{it.Path, it.Index}] = append(p.at[place{it.Path, it.Index}], it)
	}
	was := map[place][]*Item{}
	for _, it := range d.List.Items {
		was[place{it.Path, it.Index}] = append(was[place{it.Path, it.Index}], it)
	}
	var changes []FileChange
	for name, src := range d.files {
		after, err := p.rebuild(name, src, was)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(after, src.data) || after == nil {
			changes = append(changes, FileChange{Path: name, Before: src.data, After: after})
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
	at   map[place][]*Item  // resources that stayed
	made map[string][]*Item // new and moved resources by file
}

// place chooses the file of a new resource.
func (p *planner) place(it *Item) (string, error) {
	name := it.Path
	if name == "" {
		name = fileName(it.Kind) + "_" + fileName(it.Name) + ".yaml"
		if it.Name == "" {
			name = fileName(it.Kind) + ".yaml"
		}
		if reservedName(name) || slices.Contains(steering, name) {
			name = "resource_" + name
		}
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

// rebuild is a file's content with the resources that stayed or were added, nil where nothing of it is left.
func (p *planner) rebuild(name string, src *source, was map[place][]*Item) ([]byte, error) {
	b := bytes.NewBuffer(bytes.Clone(src.data[:len(src.data)-len(src.body)]))
	end := 0 // of what was taken from the file
	kept, dropped := 0, false
	for i, doc := range src.docs {
		gap := src.body[end:doc.start] // with the marker above the document
		end = doc.start + len(doc.text)
		before, after := was[place{name, i}], p.at[place{name, i}]
		if len(before) > 0 && len(after) == 0 {
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
		switch {
		case slices.Equal(before, after):
			b.Write(doc.text)
		case len(before) > 1 || len(after) > 1:
			return nil, &WriteError{
				Code: "write.list", Path: name, Message: "a resource inside a List changed",
				Hint: "divide the List into documents",
			}
		default:
			text, err := after[0].document(p.d.List.dash)
			if err != nil {
				return nil, fmt.Errorf("encoding %q: %w", after[0].String(), err)
			}
			b.Write(likeBefore(text, doc))
		}
	}
	made := p.made[name]
	if kept == 0 && len(made) == 0 && len(src.docs) > 0 {
		return nil, nil
	}
	b.Write(src.body[end:])
	if len(made) == 0 {
		return b.Bytes(), nil
	}
	added, err := appendDocuments(b.Bytes(), made)
	if err != nil {
		return nil, err
	}
	if usesCRLF(src.body) {
		added = append(bytes.Clone(added[:b.Len()]), toCRLF(added[b.Len():])...)
	}
	return added, nil
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
