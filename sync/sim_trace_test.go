package ordersync

import (
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
)

// trace is the account of a world, one line an event. Two runs of one seed give
// the same account to the byte.
type trace struct {
	sum   hash.Hash64
	lines int
	tail  []string
	loud  func(string) // hears every line; nil: nobody does
}

// keptLines are shown with a failure.
const keptLines = 120

func newTrace() trace { return trace{sum: fnv.New64a()} }

// note adds a line.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf("%s %s", w.now.Format("02 15:04:05.000000"), fmt.Sprintf(format, args...))
	w.sum.Write([]byte(line + "\n"))
	w.lines++
	if len(w.tail) == 2*keptLines {
		w.tail = append(w.tail[:0], w.tail[keptLines:]...)
	}
	w.tail = append(w.tail, line)
	if w.loud != nil {
		w.loud(line)
	}
}

// fail notes the first thing that is wrong; the world ends with it.
func (w *world) fail(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
		w.note("FAILS: %s", w.failure)
	}
}

// ending is the last part of the account.
func (w *world) ending() string {
	return strings.Join(w.tail[max(0, len(w.tail)-keptLines):], "\n")
}
