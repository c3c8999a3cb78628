package erptest

import "slices"

// ByHand lets somebody in the ERP's own office change the newest document under
// ref, past its interface; false where there is none.
func (e *ERP) ByHand(ref string, change func(*Document)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := e.docs[ref]
	if len(held) == 0 {
		return false
	}
	entry, at := held[len(held)-1], e.o.Now().UTC()
	change(&entry.doc)
	entry.doc.UpdatedAt = at
	entry.last = len(e.changes)
	e.changes = append(e.changes, changeAt{at, entry})
	return true
}

// Remove deletes the newest document under ref without a trace, as somebody in
// the office may; false where there is none.
func (e *ERP) Remove(ref string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := e.docs[ref]
	if len(held) == 0 {
		return false
	}
	held[len(held)-1].last = -1 // lists pass it over
	e.docs[ref] = slices.Clip(held[:len(held)-1])
	if len(e.docs[ref]) == 0 {
		delete(e.docs, ref)
	}
	return true
}

// Know lets somebody in the office add every article that was missing.
func (e *ERP) Know() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.o.SKUs = nil
}
