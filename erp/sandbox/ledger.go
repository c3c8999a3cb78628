package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"gapless/erp"
)

// State is where a document stands.
type State string

const (
	Draft     State = "draft"
	Confirmed State = "confirmed"
	Cancelled State = "cancelled"
)

// Document is one document of the sandbox, and one line of its file.
type Document struct {
	Ref       string     `json:"ref"`
	ID        string     `json:"id"` // "SO-1"
	Version   string     `json:"version"`
	Total     erp.Amount `json:"total"`
	Currency  string     `json:"currency"`
	State     State      `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	Writes    int        `json:"writes"` // how many writes made it what it is

	Lines []erp.FoundLine `json:"lines,omitempty"`
}

// Live says that the document counts: it is not cancelled.
func (d Document) Live() bool { return d.State != Cancelled }

// found tells the document as an adapter does. A draft shows no version, for it
// does not hold one until it is confirmed.
func (d Document) found() erp.Found {
	f := erp.Found{
		Ref: d.Ref, ID: d.ID, Version: d.Version, Total: &d.Total, Currency: d.Currency,
		Cancelled: !d.Live(), UpdatedAt: d.UpdatedAt,
	}
	if d.State == Draft {
		f.Version = ""
	}
	return f
}

// ledger holds one document a reference, in the order they were created.
type ledger struct {
	mu    sync.Mutex
	docs  map[string]Document
	refs  []string
	file  *os.File // nil: memory only
	size  int64    // of the file's whole lines, and how many they are
	lines int
}

// openLedger reads the file, if there is one, and goes on from there. A last
// line that was cut by a crash never counted. It is dropped by the first write,
// not before: whoever only reads may do so beside the process that writes.
func openLedger(path string) (*ledger, error) {
	l := &ledger{docs: map[string]Document{}}
	if path == "" {
		return l, nil
	}
	var err error
	if l.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("opening the sandbox's ledger: %w", err)
	}
	if err := l.catchUp(); err != nil {
		return nil, errors.Join(fmt.Errorf("the sandbox's ledger %s: %w; mend or move the file", path, err), l.file.Close())
	}
	return l, nil
}

// catchUp reads the whole lines behind those that were read: another process may
// have written them.
func (l *ledger) catchUp() error {
	if l.file == nil {
		return nil
	}
	content, err := io.ReadAll(io.NewSectionReader(l.file, l.size, math.MaxInt64-l.size))
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(content, []byte("\n"))
		if !whole {
			return nil
		}
		if err := l.load(line); err != nil {
			return fmt.Errorf("line %d is damaged: %w", l.lines+1, err)
		}
		l.lines++
		l.size += int64(len(line)) + 1
		content = rest
	}
}

func (l *ledger) load(line []byte) error {
	var d Document
	if err := json.Unmarshal(line, &d); err != nil {
		return err
	}
	if d.Ref == "" || d.State == "" {
		return fmt.Errorf("it names no document")
	}
	l.keep(d)
	return nil
}

func (l *ledger) keep(d Document) {
	if _, held := l.docs[d.Ref]; !held {
		l.refs = append(l.refs, d.Ref)
	}
	l.docs[d.Ref] = d
}

// change lets edit work on the document of ref, or on a new draft, and keeps
// the result once the file has it safely.
func (l *ledger) change(ref string, at time.Time, edit func(*Document)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, held := l.docs[ref]
	if !held {
		d = Document{Ref: ref, ID: fmt.Sprintf("SO-%d", len(l.refs)+1), State: Draft, CreatedAt: at}
	}
	edit(&d)
	d.UpdatedAt = at
	d.Writes++
	if err := l.append(d); err != nil {
		return err
	}
	l.keep(d)
	return nil
}

// append writes behind the last whole line, so that a write that failed half
// way is overwritten by the next.
func (l *ledger) append(d Document) error {
	if l.file == nil {
		return nil
	}
	line, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding a document: %w", err)
	}
	line = append(line, '\n')
	if err := l.file.Truncate(l.size); err != nil {
		return fmt.Errorf("dropping a cut line of the sandbox's ledger: %w", err)
	}
	if _, err := l.file.WriteAt(line, l.size); err != nil {
		return fmt.Errorf("writing the sandbox's ledger: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("syncing the sandbox's ledger: %w", err)
	}
	l.size += int64(len(line))
	l.lines++
	return nil
}

func (l *ledger) find(ref string) (Document, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.catchUp() //nolint:errcheck // what was read before stands
	d, held := l.docs[ref]
	return d, held
}

// all are the documents in the order they were created.
func (l *ledger) all() []Document {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.catchUp() //nolint:errcheck // what was read before stands
	docs := make([]Document, 0, len(l.refs))
	for _, ref := range l.refs {
		docs = append(docs, l.docs[ref])
	}
	return docs
}

// since are the documents that changed at or after t, in the order of change.
func (l *ledger) since(t time.Time) []Document {
	docs := slices.DeleteFunc(l.all(), func(d Document) bool { return d.UpdatedAt.Before(t) })
	slices.SortStableFunc(docs, func(a, b Document) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	return docs
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
