package migrate

import (
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/lazy"
)

var wrapper = lazy.Regexp(`^krmsafe(\.exe)?( |$)`)

// isWrapper says whether a command starts the krmsafe that is installed. A path, which may lead to a program of that name
// in the tree, is a program like others.
func isWrapper(command string) bool { return wrapper().MatchString(command) }

// wraps says how a function that starts krmsafe names its module; "" is of the others. Only the second annotation, and in
// a Kptfile "krmsafe exec --image REF", are read by krmsafe build and krmsafe run --pipeline: those are done in all forms.
type wraps string

const (
	wrapsNothing wraps = "nothing" // it names none
	wrapsImage   wraps = "image"   // by --image and nothing besides
	wrapsOther   wraps = "other"   // in words that the client alone passes on
)

// plainExec is a command line without anything that a shell would see in it.
var plainExec = lazy.Regexp(`^[A-Za-z0-9@:._/=+ -]+$`)

// wrappedImage gives the image of the arguments "exec --image REF", "" of all others.
func wrappedImage(args []string) string {
	switch {
	case len(args) == 3 && args[0] == "exec" && args[1] == "--image":
		return args[2]
	case len(args) == 2 && args[0] == "exec" && strings.HasPrefix(args[1], "--image="):
		return strings.TrimPrefix(args[1], "--image=")
	}
	return ""
}

func texts(elements []krm.Place) []string {
	var out []string
	for _, e := range elements {
		text, _ := e.Text()
		out = append(out, text)
	}
	return out
}

// wrapped marks a function that starts krmsafe as done if a second annotation beside it names the module.
func (f *Function) wrapped(annotations krm.Place) {
	second := annotations.Field(wrappedKey)
	if f.wraps == "" || f.State != StateMoves || !second.Exists() {
		return
	}
	inner, err := second.Inner()
	if err != nil {
		return
	}
	docs := inner.Documents()
	if len(docs) != 1 || docs[0].Err != nil {
		return
	}
	module := docs[0].Root.Field("wasip1")
	image, _ := module.Field("image").Text()
	file, _ := module.Field("file").Text()
	if (image == "") != (file == "") {
		f.State = StateDone
	}
}

// settled says what becomes of a function that starts krmsafe, if that needs no module to be found.
func (f *Function) settled(form Form) bool {
	switch {
	case f.wraps == wrapsNothing:
		f.block("wrapper", "name the module in the annotation "+wrappedKey, "it starts krmsafe and names no module")
		return true
	case form != FormWasip1:
		f.State = StateDone // the client passes the words on
		return true
	}
	return false
}
