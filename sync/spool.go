package ordersync

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"
)

// entry is what Shopify, or an ERP, says of one order.
type entry struct {
	order     int64
	name      string // the order's in Shopify, the document's in the ERP
	version   string // of the document; empty where it is not told
	total     string // decimal; empty where it is not told
	currency  string
	created   time.Time
	updated   time.Time
	cancelled bool
}

// spoolMemory is how many entries are kept in memory; more go to temporary files.
const spoolMemory = 50_000

// spool takes the entries of one side as they come and gives them back sorted by
// order. What does not fit into memory is sorted in runs on disk and merged, so
// that a million orders take a few megabytes.
type spool struct {
	most   int     // spoolMemory, less in tests
	buf    []byte  // the entries in memory, as they came
	places []place // of each
	runs   []sortedFile
}

// place is where in memory an entry stands.
type place struct {
	order int64
	at    int
}

// sortedFile holds some entries by order.
type sortedFile struct {
	file    *os.File
	entries int
}

func newSpool() *spool { return &spool{most: spoolMemory} }

func (s *spool) add(e entry) error {
	s.places = append(s.places, place{e.order, len(s.buf)})
	s.buf = e.append(s.buf)
	if len(s.places) < s.most {
		return nil
	}
	return s.flush()
}

// sort sorts what is in memory by order, and then by the way it came.
func (s *spool) sort() {
	slices.SortFunc(s.places, func(a, b place) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.at, b.at)) })
}

// flush writes what is in memory to a file that has no name any more: it goes
// with the process, however that ends.
func (s *spool) flush() error {
	s.sort()
	f, err := os.CreateTemp("", "gapless-compare-")
	if err != nil {
		return fmt.Errorf("make room for a comparison: %w; see that the folder for temporary files can be written", err)
	}
	s.runs = append(s.runs, sortedFile{f, len(s.places)})
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	for _, p := range s.places {
		if _, err := w.Write(s.buf[p.at : p.at+sizeOf(s.buf[p.at:])]); err != nil {
			return fmt.Errorf("write a comparison's temporary file: %w", err)
		}
	}
	s.buf, s.places = s.buf[:0], s.places[:0]
	return w.Flush()
}

// sorted gives all entries by order; those of one order in the way they came.
func (s *spool) sorted() iter.Seq2[entry, error] {
	s.sort()
	return func(yield func(entry, error) bool) {
		sources, err := s.sources()
		if err != nil {
			yield(entry{}, err)
			return
		}
		for len(sources) > 0 {
			if !yield(sources[0].head, nil) {
				return
			}
			switch err := sources[0].advance(); {
			case errors.Is(err, io.EOF):
				heap.Pop(&sources)
			case err != nil:
				yield(entry{}, err)
				return
			default:
				heap.Fix(&sources, 0)
			}
		}
	}
}

// sources are the sorted parts, each at its first entry.
func (s *spool) sources() (runHeap, error) {
	parts := make([]*run, 0, len(s.runs)+1)
	for i, f := range s.runs {
		if _, err := f.file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		parts = append(parts, &run{n: i, file: bufio.NewReaderSize(f.file, 64<<10), left: f.entries})
	}
	var sources runHeap
	for _, r := range append(parts, &run{n: len(s.runs), buf: s.buf, places: s.places}) {
		switch err := r.advance(); {
		case err == nil:
			sources = append(sources, r)
		case !errors.Is(err, io.EOF):
			return nil, err
		}
	}
	heap.Init(&sources)
	return sources, nil
}

// empty forgets all entries.
func (s *spool) empty() error {
	err := s.close()
	*s = spool{most: s.most}
	return err
}

func (s *spool) close() error {
	var err error
	for _, f := range s.runs {
		err = errors.Join(err, f.file.Close())
	}
	return err
}

// run is one sorted part of a spool: a file, or what is in memory.
type run struct {
	n      int // its place among the runs
	head   entry
	file   *bufio.Reader
	left   int    // entries still in the file
	buf    []byte // what was read last, or all that is in memory
	places []place
}

// advance goes to the next entry; io.EOF: there is none.
func (r *run) advance() (err error) {
	switch {
	case r.left > 0:
		r.left--
		r.head, r.buf, err = readEntry(r.file, r.buf)
		return err
	case len(r.places) > 0:
		r.head, _, err = parseEntry(r.buf[r.places[0].at+4:])
		r.places = r.places[1:]
		return err
	}
	return io.EOF
}

// runHeap has the run with the smallest order on top.
type runHeap []*run

func (h runHeap) Len() int      { return len(h) }
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h runHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].head.order, h[j].head.order), cmp.Compare(h[i].n, h[j].n)) < 0
}
func (h *runHeap) Push(x any) { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// append writes e behind its length.
func (e entry) append(buf []byte) []byte {
	start := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	buf = binary.AppendVarint(buf, e.order)
	for _, text := range []string{e.name, e.version, e.total, e.currency} {
		buf = binary.AppendUvarint(buf, uint64(len(text)))
		buf = append(buf, text...)
	}
	buf = binary.AppendVarint(buf, unixMicro(e.created))
	buf = binary.AppendVarint(buf, unixMicro(e.updated))
	if e.cancelled {
		buf = append(buf, 1)
	} else {
		buf = append(buf, 0)
	}
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(buf)-start-4))
	return buf
}

// sizeOf is how many bytes append has written.
func sizeOf(buf []byte) int { return 4 + int(binary.LittleEndian.Uint32(buf)) }

func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

var errSpool = errors.New("a temporary file of a comparison does not hold what was written to it; see to the disk it is on")

// longestEntry is far more than the names and numbers of an order take.
const longestEntry = 1 << 20

// readEntry reads what append wrote. The buffer is used again for the next one.
func readEntry(r *bufio.Reader, buf []byte) (entry, []byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return entry{}, buf, fmt.Errorf("%w (%s)", errSpool, err.Error())
	}
	n := int(binary.LittleEndian.Uint32(size[:]))
	if n > longestEntry {
		return entry{}, buf, errSpool
	}
	buf = slices.Grow(buf[:0], n)[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return entry{}, buf, fmt.Errorf("%w (%s)", errSpool, err.Error())
	}
	e, rest, err := parseEntry(buf)
	if err == nil && len(rest) > 0 {
		err = errSpool
	}
	return e, buf, err
}

// parseEntry parses what append wrote behind the length.
func parseEntry(rest []byte) (e entry, after []byte, err error) {
	ok := true
	number := func() int64 {
		v, n := binary.Varint(rest)
		ok = ok && n > 0
		rest = rest[max(n, 0):]
		return v
	}
	text := func() string {
		v, n := binary.Uvarint(rest)
		if ok = ok && n > 0 && v <= uint64(len(rest)-n); !ok {
			return ""
		}
		t := string(rest[n : n+int(v)])
		rest = rest[n+int(v):]
		return t
	}
	e = entry{order: number(), name: text(), version: text(), total: text(), currency: text()}
	e.created, e.updated = fromMicro(number()), fromMicro(number())
	if !ok || len(rest) == 0 {
		return entry{}, nil, errSpool
	}
	e.cancelled = rest[0] == 1
	return e, rest[1:], nil
}
