// Command publish packs a module into an OCI layout as a CNCF Wasm artifact and,
// if asked to, signs it the way cosign 3 does with a key that lives as long as
// the process. It serves the demo, which must work without cosign; a user signs
// with cosign.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
)

func main() {
	module := flag.String("module", "", "WebAssembly module to pack")
	dir := flag.String("layout", "", "OCI layout to write")
	signed := flag.String("signed", "", "tag of a signed artifact")
	unsigned := flag.String("unsigned", "", "tag of the same module without a signature")
	publicKey := flag.String("public-key", "", "file to write the signer's public key to")
	flag.Parse()
	if err := publish(*module, *dir, *signed, *unsigned, *publicKey); err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		os.Exit(1)
	}
}

func publish(module, dir, signed, unsigned, publicKey string) error {
	wasm, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	key, err := sigstore.NewKey()
	if err != nil {
		return err
	}
	blobs := layout.Blobs{}
	// The annotation makes the unsigned artifact another manifest: a signature
	// is about a digest and not about a tag.
	plain := blobs.CNCF(wasm, map[string]string{"org.opencontainers.image.version": unsigned})
	artifact := blobs.CNCF(wasm, map[string]string{"org.opencontainers.image.version": signed})
	bundle, err := key.SignBundle(artifact.Digest, map[string]string{"channel": "stable"})
	if err != nil {
		return err
	}
	if err := blobs.Save(dir, artifact.Named(signed), plain.Named(unsigned), blobs.Bundle(artifact, bundle)); err != nil {
		return err
	}
	fmt.Println(artifact.Digest)
	return os.WriteFile(publicKey, key.PublicPEM(), 0o600)
}
