package krm

// Fault lets steps of writing a directory fail: fail is called before each with what it does ("mkdir", "create",
// "write", "link", "rename", "undo") and to what.
func (d *Directory) Fault(fail func(step, name string) error) { d.fault = fail }

// What reads text without the parser.
var (
	QuickEntry    = quickEntry
	QuickDocument = quickDocument
)

// SpanOf is where in its file a scalar stands, and where the line ends on which it ends. ok is false where that is not
// found.
func SpanOf(p Place) (start, end, lineEnd int, ok bool) {
	start, end, err := p.doc.span(p.node)
	if err != nil {
		return 0, 0, 0, false
	}
	return p.doc.start + start, p.doc.start + end, p.doc.start + p.doc.lineEnd(end), true
}
