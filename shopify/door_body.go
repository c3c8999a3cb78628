package shopify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Anybody may post a body in a shop's name, and memory is held until its
// signature is checked. What bodies take beyond smallBody each, as they arrive,
// is therefore bounded together; over largeBytes, or MaxBody where that is more,
// the answer is 503, and Shopify sends again. Who sends little holds up nobody,
// however slow.
const (
	smallBody  = 256 << 10
	largeBytes = 24 << 20
)

// release gives a buffer back, unless one large body has made it large.
func (d *Door) release(buffer *[]byte) {
	d.taken.Add(-large(cap(*buffer)))
	if cap(*buffer) <= smallBody {
		*buffer = (*buffer)[:0]
		d.buffers.Put(buffer)
	}
}

// large is how much of a buffer's size counts against largeBytes.
func large(size int) int64 { return int64(max(0, size-smallBody)) }

// readAll reads r, which ends after MaxBody, to its end into the empty buffer.
func (d *Door) readAll(r io.Reader, buffer *[]byte) error {
	for {
		if len(*buffer) == cap(*buffer) {
			if err := d.grow(buffer); err != nil {
				return err
			}
		}
		b := *buffer
		n, err := r.Read(b[len(b):cap(b)])
		*buffer = b[:len(b)+n]
		var over *http.MaxBytesError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &over):
			return d.tooLarge()
		case err != nil:
			return fmt.Errorf("read the body: %w", err)
		}
	}
}

// grow doubles a full buffer, to at most what MaxBody needs, as long as there is
// memory to spare.
func (d *Door) grow(buffer *[]byte) error {
	size := min(2*cap(*buffer), int(d.MaxBody)+1)
	more := large(size) - large(cap(*buffer))
	if d.taken.Add(more) > max(largeBytes, d.MaxBody) {
		d.taken.Add(-more)
		return &refused{http.StatusServiceUnavailable, "too many large bodies are being read at once"}
	}
	*buffer = append(make([]byte, 0, size), *buffer...)
	return nil
}

func (d *Door) tooLarge() error {
	return &refused{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", d.MaxBody)}
}
