package krm

import (
	"path"
	"strings"
)

// Part is the resources of a list that lie in one folder, as a list of their own.
type Part struct {
	// List is what a function gets. Paths in it are relative to the folder.
	List *ResourceList

	whole  *ResourceList
	folder string
	copies map[*Item]*Item // from an item of List to what it was copied from
}

// Within gives the resources that were read from files in a folder or below it, with everything where folder is "" or
// ".". Neither list may be changed while the Part is in use.
func (rl *ResourceList) Within(folder string) *Part {
	p := &Part{List: rl, whole: rl, folder: folder}
	if folder == "" || folder == "." {
		p.folder = ""
		return p
	}
	list := *rl
	list.Items, p.copies = nil, map[*Item]*Item{}
	for _, it := range rl.Items {
		if rel, inside := strings.CutPrefix(it.Path, folder+"/"); inside {
			c := *it
			c.Path, c.prior, c.fate = rel, it.original(), nil
			p.copies[&c] = it
			list.Items = append(list.Items, &c)
		}
	}
	p.List = &list
	return p
}

// Replace gives the whole list with what became of the part in the place of its first resource, or at the end where it
// had none. New resources go to files in the folder.
func (p *Part) Replace(out *ResourceList) *ResourceList {
	if p.folder == "" {
		c := *out
		return &c
	}
	back := make([]*Item, 0, len(out.Items))
	for _, it := range out.Items {
		if was := p.copies[it]; was != nil {
			back = append(back, was)
			continue
		}
		c := *it
		name := it.Path
		if name == "" {
			name = defaultName(it)
		}
		c.Path = path.Join(p.folder, name)
		back = append(back, &c)
	}
	inside := make(map[*Item]bool, len(p.copies))
	for _, it := range p.copies {
		inside[it] = true
	}
	whole := *p.whole
	whole.Items = make([]*Item, 0, len(p.whole.Items)+len(back))
	for _, it := range p.whole.Items {
		switch {
		case !inside[it]:
			whole.Items = append(whole.Items, it)
		case back != nil:
			whole.Items, back = append(whole.Items, back...), nil
		}
	}
	whole.Items = append(whole.Items, back...)
	return &whole
}
