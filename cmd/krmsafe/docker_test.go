package main_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	krmsafe "github.com/krmsafe/krmsafe/cmd/krmsafe"
)

const (
	byKustomize = "run --rm -i -a STDIN -a STDOUT -a STDERR --network none --user nobody --security-opt=no-new-privileges"
	byKpt       = "run --rm -i --network none --user nobody --security-opt=no-new-privileges"
)

func TestContainerOf(t *testing.T) {
	t.Parallel()
	const image = "gcr.io/kpt-fn/set-labels:v0.2.0"
	for line, want := range map[string]string{
		byKustomize + " -e LOG_TO_STDERR=true -e STRUCTURED_RESULTS=true " + image: image,
		byKustomize + " " + image: image,
		strings.Replace(byKustomize, "nobody", "1000:1000", 1) + " " + image:  image,
		byKpt + " --pull missing " + image:                                    image,
		byKpt + " --pull always gcr.io/x/y@sha256:" + strings.Repeat("a", 64): "gcr.io/x/y@sha256:" + strings.Repeat("a", 64),
		byKpt + " alpine":                "alpine",
		byKpt:                            "",
		"":                               "",
		"run":                            "",
		"run " + image:                   "",
		byKpt + " --pull " + image:       "",
		byKpt + " --pull often " + image: "",
		byKpt + " -e LOG_TO_STDERR=false " + image:                           "",
		byKpt + " -e LD_PRELOAD=x " + image:                                  "",
		byKpt + " -e " + image:                                               "",
		byKpt + " --mount type=bind,source=/,target=/ " + image:              "",
		byKpt + " -v /:/host " + image:                                       "",
		byKpt + " " + image + " sh":                                          "",
		byKpt + " --network host " + image:                                   "",
		byKpt + " --privileged":                                              "",
		byKpt + " -":                                                         "",
		byKpt + " ../fn":                                                     "",
		byKpt + " /fn.wasm":                                                  "",
		byKpt + " a\nb":                                                      "",
		strings.Replace(byKpt, "none", "host", 1) + " " + image:              "",
		strings.Replace(byKpt, "none", "container:x", 1) + " " + image:       "",
		strings.Replace(byKpt, "nobody", "root", 1) + " " + image:            "",
		strings.Replace(byKpt, "nobody", "0:0:0", 1) + " " + image:           "",
		strings.Replace(byKpt, "nobody", "-1", 1) + " " + image:              "",
		strings.Replace(byKpt, "=no-new", "=seccomp", 1) + " " + image:       "",
		strings.Replace(byKustomize, "-a STDERR ", "", 1) + " " + image:      "",
		strings.Replace(byKustomize, "--rm", "--rm --privileged", 1) + image: "",
	} {
		got, err := krmsafe.ContainerOf(strings.Split(line, " "))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("containerOf(%q) = %q, %v, want %q", line, got, err, want)
		}
	}
}

// FuzzContainerOf: a line that is taken is one of the two that the clients write,
// in full, and asks for no network, no mount and no variable of the function's own.
func FuzzContainerOf(f *testing.F) {
	f.Add(byKustomize + " -e LOG_TO_STDERR=true -e STRUCTURED_RESULTS=true gcr.io/x/y:v1")
	f.Add(byKpt + " --pull missing gcr.io/x/y:v1")
	f.Add(byKpt + " --mount x gcr.io/x/y:v1")
	whole := regexp.MustCompile(`^run --rm -i( -a STDIN -a STDOUT -a STDERR)? --network none --user (nobody|[0-9]+(:[0-9]+)?) --security-opt=no-new-privileges` +
		`( --pull (always|missing|never))?( -e (LOG_TO_STDERR|STRUCTURED_RESULTS)=true)* [A-Za-z0-9][A-Za-z0-9._:/@-]*$`)
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		image, err := krmsafe.ContainerOf(args)
		if err != nil {
			if image != "" {
				t.Fatalf("an error, and the image %q", image)
			}
			return
		}
		if !whole.MatchString(line) || !slices.Contains(args, image) || image != args[len(args)-1] {
			t.Errorf("containerOf(%q) = %q", line, image)
		}
	})
}
