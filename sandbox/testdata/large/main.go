// Large is a function that copies its input and carries half of Go's standard
// library with it, as functions do that link what they never call: it is built
// by a test to be more than 20 MB.
package main

import (
	"crypto/tls"
	"encoding/gob"
	"encoding/xml"
	"go/parser"
	"go/token"
	"go/types"
	"html/template"
	"image/png"
	"io"
	"net/http"
	"net/http/httputil"
	"net/rpc"
	"net/smtp"
	"os"
)

// ballast is never called, which the compiler cannot know.
func ballast() {
	_, _ = parser.ParseFile(token.NewFileSet(), "x", "package x", 0)
	_, _ = (&types.Config{}).Check("x", nil, nil, nil)
	_ = template.Must(template.New("x").Parse("x")).Execute(os.Stdout, nil)
	_ = gob.NewEncoder(os.Stdout).Encode(&tls.Config{})
	_ = xml.NewDecoder(os.Stdin).Decode(&tls.Config{})
	_, _ = png.Decode(os.Stdin)
	_ = smtp.SendMail("", nil, "", nil, nil)
	rpc.ServeConn(nil)
	_ = http.ListenAndServe("", &httputil.ReverseProxy{})
}

func main() {
	if len(os.Args) > 1000 {
		ballast()
	}
	if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
		os.Exit(1)
	}
}
