package jail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kind says what a frame holds. Kinds below FirstKind belong to this package.
type Kind uint8

const (
	kindHello  Kind = 1 // child: this is how I am confined
	kindBounds Kind = 2 // parent: lower your resources to this
	kindBound  Kind = 3 // child: done

	// FirstKind is the first kind a role may use.
	FirstKind Kind = 16
)

// FrameError says that the other side did not keep to the protocol.
type FrameError struct{ Message string }

// Error gives the message.
func (e *FrameError) Error() string { return "reading a frame: " + e.Message }

// Allowed gives, for each kind of frame that may come next, the most bytes its
// payload may have.
type Allowed map[Kind]int64

// WriteFrame writes one frame: its kind, four bytes of length, and as its payload
// the parts one after the other, without copying them.
func WriteFrame(w io.Writer, kind Kind, parts ...[]byte) error {
	var n int64
	for _, p := range parts {
		n += int64(len(p))
	}
	if n > 1<<32-1 {
		return fmt.Errorf("writing a frame: %d bytes do not fit", n)
	}
	head := binary.LittleEndian.AppendUint32([]byte{byte(kind)}, uint32(n))
	for i, p := range append([][]byte{head}, parts...) {
		if len(p) == 0 && i > 0 {
			continue
		}
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("writing a frame: %w", err)
		}
	}
	return nil
}

// ReadFrame reads one frame of an allowed kind. Memory is taken as bytes arrive,
// not as the length announces. Any other kind or a payload above its bound is a
// *FrameError; io.EOF means that the stream ended before the frame began.
func ReadFrame(r io.Reader, allowed Allowed) (Kind, []byte, error) {
	kind, n, err := readHead(r, allowed)
	if err != nil {
		return 0, nil, err
	}
	var buf bytes.Buffer
	buf.Grow(int(min(n, 1<<20)))
	if _, err := io.CopyN(&buf, r, n); err != nil {
		return 0, nil, cutFrame(kind, err)
	}
	return kind, buf.Bytes(), nil
}

// readHead reads a frame's kind and length and holds them against what is
// allowed.
func readHead(r io.Reader, allowed Allowed) (Kind, int64, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if err == io.EOF {
			return 0, 0, io.EOF
		}
		return 0, 0, fmt.Errorf("reading a frame's head: %w", err)
	}
	kind, n := Kind(head[0]), int64(binary.LittleEndian.Uint32(head[1:]))
	limit, ok := allowed[kind]
	if !ok {
		return 0, 0, &FrameError{fmt.Sprintf("kind %d is not expected here", kind)}
	}
	if n > limit {
		return 0, 0, &FrameError{fmt.Sprintf("%d bytes announced for kind %d, at most %d are allowed", n, kind, limit)}
	}
	return kind, n, nil
}

func cutFrame(kind Kind, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading a frame of kind %d: %w", kind, err)
}
