package ordersync

import (
	"iter"
	"slices"

	"gapless/store"
)

// line is one order as the three sides tell it. At least one of them does.
type line struct {
	id    int64
	head  *entry          // as Shopify lists it; nil: it does not, in this window
	known *store.Standing // as it stands here; nil: unknown, or outside the window
	docs  []entry         // the ERP's documents of it, cancelled ones too

	outside bool // what stands here lies outside the window
}

// live are the documents that are not cancelled.
func (l line) live() []entry {
	if !slices.ContainsFunc(l.docs, func(d entry) bool { return d.cancelled }) {
		return l.docs
	}
	var live []entry
	for _, d := range l.docs {
		if !d.cancelled {
			live = append(live, d)
		}
	}
	return live
}

// merge walks the three sides together, each sorted by order, and never looks a
// row up. What a side says twice of one thing counts once: the later word.
func merge(heads iter.Seq2[entry, error], known iter.Seq2[store.Standing, error], docs iter.Seq2[entry, error]) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		h, k, d := begin(heads), begin(known), begin(docs)
		defer h.stop()
		defer k.stop()
		defer d.stop()
		for {
			if err := firstError(h.err, k.err, d.err); err != nil {
				yield(line{}, err)
				return
			}
			if !h.ok && !k.ok && !d.ok {
				return
			}
			if !yield(nextLine(h, k, d), nil) {
				return
			}
		}
	}
}

// nextLine takes all that is said of the order with the smallest id.
func nextLine(h *cursor[entry], k *cursor[store.Standing], d *cursor[entry]) line {
	var l line
	first := true
	for _, c := range []struct {
		ok bool
		id int64
	}{{h.ok, h.at.order}, {k.ok, k.at.ID}, {d.ok, d.at.order}} {
		if c.ok && (first || c.id < l.id) {
			l.id, first = c.id, false
		}
	}
	for h.ok && h.at.order == l.id {
		if l.head == nil || !h.at.updated.Before(l.head.updated) {
			head := h.at
			l.head = &head
		}
		h.next()
	}
	for k.ok && k.at.ID == l.id {
		standing := k.at
		l.known = &standing
		k.next()
	}
	for d.ok && d.at.order == l.id {
		l.docs = withDocument(l.docs, d.at)
		d.next()
	}
	return l
}

// withDocument adds a document, or what was said of it later.
func withDocument(docs []entry, d entry) []entry {
	for i := range docs {
		if docs[i].name == d.name {
			if !d.updated.Before(docs[i].updated) {
				docs[i] = d
			}
			return docs
		}
	}
	return append(docs, d)
}

// cursor is a place in one side.
type cursor[T any] struct {
	at   T
	ok   bool
	err  error
	pull func() (T, error, bool)
	stop func()
}

func begin[T any](side iter.Seq2[T, error]) *cursor[T] {
	c := &cursor[T]{}
	c.pull, c.stop = iter.Pull2(side)
	c.next()
	return c
}

func (c *cursor[T]) next() {
	c.at, c.err, c.ok = c.pull()
	c.ok = c.ok && c.err == nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
