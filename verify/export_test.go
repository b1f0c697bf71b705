package verify

// PanicWhileJudging judges a piece of evidence in a way that must panic, and
// returns what came of it.
func PanicWhileJudging(e Evidence) (signatures int, rejected []Candidate) {
	// The rule is missing, as nothing but a bug can make it.
	j := judgement{digests: []digest{digestOf([]byte("the artifact"))}}
	j.consider(&e)
	return len(j.signatures), j.rejected
}
