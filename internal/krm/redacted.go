package krm

// Redacted counts the Secrets that the function sees with placeholders in place of their values.
func (x *Exchange) Redacted() int {
	if x.secrets == nil {
		return 0
	}
	n := 0
	for _, s := range x.shown {
		if s.item.isSecret() {
			n++
		}
	}
	return n
}
