package shopifytest

import (
	"cmp"
	"slices"
	"time"
)

// index is what searches know of the orders: when each was last updated, some
// time after it was.
type index struct {
	lag   time.Duration
	rows  []row           // sorted
	ids   []int64         // the same orders, sorted by id
	known map[int64]int64 // order id to the second it stands at in rows
	late  []lateRow       // by the time they become visible
}

// row is one order with the time it is sorted by, in Unix seconds: in the
// index, its last update.
type row struct{ at, id int64 }

type lateRow struct {
	row
	visible time.Time
}

func byTime(a, b row) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
}

// note says that an order changed at an instant, which searches learn of when
// the lag is over, and more where they are slow this time.
func (x *index) note(o *Order, at time.Time, more time.Duration) {
	r := lateRow{row{o.UpdatedAt.Unix(), o.ID}, at.Add(x.lag + more)}
	i, _ := slices.BinarySearchFunc(x.late, r, func(a, b lateRow) int {
		return cmp.Or(a.visible.Compare(b.visible), -1) // behind those of the same instant
	})
	x.late = slices.Insert(x.late, i, r)
}

// catchUp makes visible what has waited out the lag.
func (x *index) catchUp(now time.Time) {
	n := 0
	for n < len(x.late) && !x.late[n].visible.After(now) {
		x.put(x.late[n].row)
		n++
	}
	if x.late = x.late[n:]; len(x.late) == 0 {
		x.late = nil
	}
}

// put moves an order to where it stands now. A change that took longer than the
// one after it is old news.
func (x *index) put(r row) {
	if before, known := x.known[r.id]; known && before > r.at {
		return
	}
	x.remove(r.id)
	i, _ := slices.BinarySearchFunc(x.rows, r, byTime)
	x.rows = slices.Insert(x.rows, i, r)
	i, _ = slices.BinarySearch(x.ids, r.id)
	x.ids = slices.Insert(x.ids, i, r.id)
	x.known[r.id] = r.at
}

func (x *index) remove(id int64) {
	updated, ok := x.known[id]
	if !ok {
		return
	}
	if i, found := slices.BinarySearchFunc(x.rows, row{updated, id}, byTime); found {
		x.rows = slices.Delete(x.rows, i, i+1)
	}
	if i, found := slices.BinarySearch(x.ids, id); found {
		x.ids = slices.Delete(x.ids, i, i+1)
	}
	delete(x.known, id)
}

// drop forgets a deleted order at once.
func (x *index) drop(id int64) {
	x.remove(id)
	x.late = slices.DeleteFunc(x.late, func(l lateRow) bool { return l.id == id })
}
