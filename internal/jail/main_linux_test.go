package jail_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// Roles of children that the tests start, by the part before the colon; what
// follows is the role's argument.
const (
	roleEcho  = "echo"  // answers frames with their payload
	roleProbe = "probe" // does something forbidden and says how it went
	roleSkip  = "skip"  // leaves layers out and claims them
	roleLack  = "lack"  // leaves layers out and says so
	roleOnly  = "only"  // has one layer only, and says what that layer forbids
	roleMain  = "main"  // is a program that forgot the hook
	roleMap   = "map"   // maps the file it was given, or tries what it may not do with it
)

const (
	kindAsk jail.Kind = jail.FirstKind + iota
	kindAnswer
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 || len(os.Args) == 4 {
		role, arg, _ := strings.Cut(os.Args[1], ":")
		switch role {
		case roleEcho:
			os.Exit(jail.Serve(os.Args, os.Args[1], echo))
		case roleProbe:
			os.Exit(jail.Serve(os.Args, os.Args[1], func(in *jail.Inside) error { return probe(in, arg) }))
		case roleSkip:
			each(arg, jail.Skip)
			os.Exit(jail.Serve(os.Args, os.Args[1], gossip))
		case roleLack:
			each(arg, jail.Lack)
			os.Exit(jail.Serve(os.Args, os.Args[1], gossip))
		case roleOnly:
			for _, layer := range jail.Layers() {
				// Without no_new_privs a user may not install a filter.
				if layer != arg && (arg != jail.LayerSeccomp || layer != jail.LayerNoNewPrivs) {
					jail.Skip(layer)
				}
			}
			os.Exit(jail.Serve(os.Args, os.Args[1], func(in *jail.Inside) error { return alone(in, arg) }))
		case roleMap:
			os.Exit(jail.Serve(os.Args, os.Args[1], func(in *jail.Inside) error { return mapping(in, arg) }))
		case roleMain:
			os.Exit(forgetful())
		}
	}
	os.Exit(m.Run())
}

// echo answers every frame until the parent closes the pipe.
func echo(in *jail.Inside) error {
	for {
		payload, err := in.Receive(kindAsk, 1<<20)
		if err != nil {
			return nil //nolint:nilerr // the parent is done
		}
		if err := in.Send(kindAnswer, payload); err != nil {
			return err
		}
	}
}

// gossip tells the world, through standard error, about the first byte it gets.
func gossip(in *jail.Inside) error {
	if _, err := in.Receive(kindAsk, 1<<20); err != nil {
		return fmt.Errorf("no byte came")
	}
	return fmt.Errorf("a byte came")
}

func each(list string, f func(string)) {
	for layer := range strings.SplitSeq(list, ",") {
		f(layer)
	}
}
