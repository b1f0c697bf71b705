package fuel

// A node is a run of instructions that is entered at its first and left at
// its last one. Unreachable code belongs to no node.
type node struct {
	w     uint32 // static price of its instructions
	loop  int32  // index of the innermost loop around it, -1 for none
	at    int32  // offset of its first instruction
	edges [2]edge
	count uint8 // of edges
	// fixed: some branch to this node has no place for a charge of its own,
	// so the node charges itself and nobody prepays it.
	fixed bool
	trap  bool // ends in unreachable
	// result: ends in a branch on what a call has just returned.
	result bool
	depth  int32 // of loops, see depths

	run  uint64 // what is prepaid when the node is entered, its own price included
	base uint64 // the part of run beyond its own price
}

// An edge leads from a node to the next one. to is a node's index or, if
// negative, the complement of a label's.
type edge struct {
	to   int32
	at   int32 // where a charge for the edge goes
	kind edgeKind
}

type edgeKind uint8

const (
	edgeInsert edgeKind = iota // a charge can be inserted at offset at
	edgeBrIf                   // the br_if at offset at must be rewritten to hold a charge
	edgeElse                   // an else must be inserted at offset at to hold a charge
	edgeFixed                  // no charge can be put on the edge
)

type loopInfo struct {
	parent int32
	depth  int32 // 1 for an outermost loop
	header int32 // node
	backs  int32 // branches to the header
	fixed  bool  // one of them is a br_table or carries values
	split  bool  // charged at the branches back rather than at the header

	// dispatch: the loop starts with a br_table over a local, as Go's compiler
	// writes functions: branches back set the local to a constant and
	// thereby name their target.
	dispatch    bool
	local       uint32
	first, last int32  // its labels in targets, the default behind last
	max         uint64 // largest run of a target
}

type frame struct {
	label  int32
	loop   int32 // index if the frame is a loop, else -1
	ifNode int32 // the node that ends in the if, until its else is met; else -1
	dead   bool  // unreachable when it was entered
	arity  bool  // branches to the label carry values
	refs   bool  // some branch goes to the label
}

// An event is an instruction that wants code of its own, whatever node it is in.
type event struct {
	at   int32
	end  int32
	kind eventKind
	arg  int32
}

type eventKind uint8

const (
	eventBulk   eventKind = iota // charge by length; arg is the shift
	eventReturn                  // arg is the depth of the function's label
)

// A longNumber is one whose bytes from needed to end add nothing to it.
type longNumber struct{ needed, end int32 }
