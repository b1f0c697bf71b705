package oci

import "io"

// progressStep is how many bytes pass between two reports.
const progressStep = 64 * kib

// watched reports how a blob arrives, where somebody listens.
func (r *repository) watched(body io.Reader, what string, d descriptor) io.Reader {
	tell := r.web.config.Progress
	if tell == nil || what == "evidence" || what == "config" {
		return body
	}
	return &watched{next: body, tell: tell, p: Progress{What: what, Digest: d.Digest, Total: d.Size}}
}

type watched struct {
	next io.Reader
	tell func(Progress)
	p    Progress
	told int64
}

// Read passes bytes on and counts them.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.next.Read(b)
	w.p.Done += int64(n)
	if w.p.Done-w.told >= progressStep || (err != nil && w.told != w.p.Done) {
		w.told = w.p.Done
		w.tell(w.p)
	}
	return n, err
}
