package jail

import (
	"bytes"
	"encoding/binary"
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

// WriteFrame writes one frame: its kind, four bytes of length, its payload.
func WriteFrame(w io.Writer, kind Kind, payload []byte) error {
	if int64(len(payload)) > 1<<32-1 {
		return fmt.Errorf("writing a frame: %d bytes do not fit", len(payload))
	}
	head := binary.LittleEndian.AppendUint32([]byte{byte(kind)}, uint32(len(payload))) //nolint:gosec // G115: checked above
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	if len(payload) == 0 {
		return nil
	}
	if _, err := w.Write(payload); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}

// ReadFrame reads one frame of an allowed kind. Memory is taken as bytes arrive,
// not as the length announces. Any other kind or a payload above its bound is a
// *FrameError; io.EOF means that the stream ended before the frame began.
func ReadFrame(r io.Reader, allowed Allowed) (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if err == io.EOF {
			return 0, nil, io.EOF
		}
		return 0, nil, fmt.Errorf("reading a frame's head: %w", err)
	}
	kind, n := Kind(head[0]), int64(binary.LittleEndian.Uint32(head[1:]))
	limit, ok := allowed[kind]
	if !ok {
		return 0, nil, &FrameError{fmt.Sprintf("kind %d is not expected here", kind)}
	}
	if n > limit {
		return 0, nil, &FrameError{fmt.Sprintf("%d bytes announced for kind %d, at most %d are allowed", n, kind, limit)}
	}
	var buf bytes.Buffer
	buf.Grow(int(min(n, 1<<20)))
	if _, err := io.CopyN(&buf, r, n); err != nil {
		if err == io.EOF { //nolint:errorlint // CopyN returns io.EOF itself
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, fmt.Errorf("reading a frame of kind %d: %w", kind, err)
	}
	return kind, buf.Bytes(), nil
}
