package erptest

import (
	"slices"

	"gapless/erp"
)

// What people do to an ERP's documents by hand. Each says whether there was a
// live document to do it to; of several, the newest is taken.

// Delete removes a document without a trace.
func (e *ERP) Delete(ref string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.newestLive(ref)
	if x == nil {
		return false
	}
	e.changes[x.last].entry = &entry{last: -1} // no list shows it any more
	e.docs[ref] = slices.DeleteFunc(e.docs[ref], func(other *entry) bool { return other == x })
	if len(e.docs[ref]) == 0 {
		delete(e.docs, ref)
	}
	return true
}

// Cancel cancels a document.
func (e *ERP) Cancel(ref string) bool {
	return e.edit(ref, func(w *Write) { w.Cancelled = true })
}

// Reprice gives a document another total.
func (e *ERP) Reprice(ref string, total erp.Amount) bool {
	return e.edit(ref, func(w *Write) { w.Total = total })
}

func (e *ERP) edit(ref string, change func(*Write)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.newestLive(ref)
	if x == nil {
		return false
	}
	w := x.doc.Writes[len(x.doc.Writes)-1]
	w.At, w.IdempotencyKey = e.o.Now().UTC(), ""
	change(&w)
	x.apply(w)
	x.last = len(e.changes)
	e.changes = append(e.changes, changeAt{w.At, x})
	return true
}

func (e *ERP) newestLive(ref string) *entry {
	for _, x := range slices.Backward(e.docs[ref]) {
		if !x.doc.Cancelled {
			return x
		}
	}
	return nil
}
