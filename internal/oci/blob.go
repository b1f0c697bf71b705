package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// readBlob reads one blob whole. Its size is held against the limit before anything is opened, and against its descriptor and digest
// before anything is returned.
func readBlob(ctx context.Context, src source, d descriptor, what string, b bound) ([]byte, error) {
	if d.Size > b.max {
		return nil, b.exceeded(what+" "+d.Digest, d.Size)
	}
	r, err := openBlob(ctx, src, d, what)
	if err != nil {
		return nil, err
	}
	body, err := readBounded(r, what+" "+d.Digest, d.Size, b)
	if err == nil {
		err = r.verify()
	}
	if closing := r.Close(); err == nil {
		err = closing // a pull writes the blob to disk on the way
	}
	if err != nil {
		return nil, err
	}
	if k, ok := src.(keeper); ok {
		k.keep(d.Digest, body)
	}
	return body, nil
}

// openBlob opens a blob as a stream that checks itself.
func openBlob(ctx context.Context, src source, d descriptor, what string) (*checkedBlob, error) {
	r, err := src.open(ctx, d, what)
	if err != nil {
		return nil, err
	}
	return &checkedBlob{next: r, what: what, d: d, hash: sha256.New()}, nil
}

// checkedBlob passes a blob on, never a byte more than its descriptor says, and knows at the end whether it was the right one. What
// was read before verify has said so must not be used.
type checkedBlob struct {
	next io.ReadCloser
	what string
	d    descriptor
	hash hash.Hash
	n    int64
}

// Read passes on what arrives.
func (c *checkedBlob) Read(p []byte) (int, error) {
	n, err := c.next.Read(p)
	c.n += int64(n)
	if c.n > c.d.Size {
		return 0, wrongSize(c.what, c.d, c.n)
	}
	_, _ = c.hash.Write(p[:n])
	return n, err
}

// Close ends the stream.
func (c *checkedBlob) Close() error { return c.next.Close() }

// verify reads what is left and checks size and digest.
func (c *checkedBlob) verify() error {
	_, err := io.Copy(io.Discard, c)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return wrongSize(c.what, c.d, c.n)
	case err != nil:
		return err
	case c.n != c.d.Size:
		return wrongSize(c.what, c.d, c.n)
	}
	if got := digestPrefix + hex.EncodeToString(c.hash.Sum(nil)); got != c.d.Digest {
		return mismatch(c.what, c.d.Digest, got)
	}
	return nil
}

func mismatch(what, want, got string) error {
	return &ArtifactError{Code: "artifact.digest_mismatch", Digest: want, Message: fmt.Sprintf("%s %s has the digest %s: its bytes were changed", what, want, got)}
}

func wrongSize(what string, d descriptor, got int64) error {
	relation := "only"
	if got > d.Size {
		relation = "more than"
		got = d.Size
	}
	return &ArtifactError{Code: "artifact.size", Digest: d.Digest, Message: fmt.Sprintf("%s %s has %s %d bytes where its descriptor says %d", what, d.Digest, relation, got, d.Size)}
}
