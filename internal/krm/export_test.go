package krm

// Fault lets steps of writing a directory fail: fail is called before each with what it does ("mkdir", "create",
// "write", "link", "rename", "undo") and to what.
func (d *Directory) Fault(fail func(step, name string) error) { d.fault = fail }

// What reads text without the parser.
var (
	QuickEntry    = quickEntry
	QuickDocument = quickDocument
)
