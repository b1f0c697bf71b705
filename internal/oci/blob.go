package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/krmsafe/krmsafe/internal/hashed"
)

// readBlob reads one blob whole. Its size is held against the limit before anything is opened, and against its descriptor and digest
// before anything is returned.
func readBlob(ctx context.Context, src source, d descriptor, what string, b bound) ([]byte, error) {
	body, err := readHashed(ctx, src, d, what, b)
	return body.Data(), err
}

// readHashed is readBlob for content whose digest others are to know: it is hashed here, or where it was kept. What is
// kept now is hashed once more by whoever keeps it, who takes nobody's word for what it is.
func readHashed(ctx context.Context, src source, d descriptor, what string, b bound) (hashed.Bytes, error) {
	if d.Size > b.max {
		return hashed.Bytes{}, b.exceeded(what+" "+d.Digest, d.Size)
	}
	k, keeps := src.(keeper)
	if keeps {
		if body, ok := k.kept(d); ok {
			return body, nil
		}
	}
	data, err := readSized(ctx, src, d, what, b)
	if err != nil {
		return hashed.Bytes{}, err
	}
	body := hashed.Of(data)
	if !body.Is(d.Digest) {
		return hashed.Bytes{}, mismatch(what, d.Digest, body.Digest())
	}
	if keeps {
		k.keep(d.Digest, data)
	}
	return body, nil
}

// readSized reads what should be a blob, as many bytes as its descriptor says. It does not look at the digest.
func readSized(ctx context.Context, src source, d descriptor, what string, b bound) ([]byte, error) {
	next, err := src.open(ctx, d, what)
	if err != nil {
		return nil, err
	}
	r := &sizedBlob{next: next, what: what, d: d}
	body, err := readBounded(r, what+" "+d.Digest, d.Size, b)
	if err == nil {
		err = r.verify()
	}
	if closing := r.Close(); err == nil {
		err = closing // a pull writes the blob to disk on the way
	}
	return body, err
}

// openBlob opens a blob as a stream that checks itself.
func openBlob(ctx context.Context, src source, d descriptor, what string) (*checkedBlob, error) {
	r, err := src.open(ctx, d, what)
	if err != nil {
		return nil, err
	}
	return &checkedBlob{sizedBlob: sizedBlob{next: r, what: what, d: d}, hash: sha256.New()}, nil
}

// sizedBlob passes a blob on, never a byte more than its descriptor says, and knows at the end whether it was as many.
type sizedBlob struct {
	next io.ReadCloser
	what string
	d    descriptor
	n    int64
}

// Read passes on what arrives.
func (s *sizedBlob) Read(p []byte) (int, error) {
	n, err := s.next.Read(p)
	s.n += int64(n)
	if s.n > s.d.Size {
		return 0, wrongSize(s.what, s.d, s.n)
	}
	return n, err
}

// Close ends the stream.
func (s *sizedBlob) Close() error { return s.next.Close() }

// verify reads what is left and checks the size.
func (s *sizedBlob) verify() error { return s.ended(io.Copy(io.Discard, s)) }

// ended judges how the stream came to its end.
func (s *sizedBlob) ended(_ int64, err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return wrongSize(s.what, s.d, s.n)
	case err != nil:
		return err
	case s.n != s.d.Size:
		return wrongSize(s.what, s.d, s.n)
	}
	return nil
}

// checkedBlob is a sizedBlob that knows at the end whether it was the right one. What was read before verify has said so must not be
// used.
type checkedBlob struct {
	sizedBlob
	hash hash.Hash
}

// Read passes on what arrives.
func (c *checkedBlob) Read(p []byte) (int, error) {
	n, err := c.sizedBlob.Read(p)
	_, _ = c.hash.Write(p[:n])
	return n, err
}

// verify reads what is left and checks size and digest.
func (c *checkedBlob) verify() error {
	if err := c.ended(io.Copy(io.Discard, c)); err != nil {
		return err
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
