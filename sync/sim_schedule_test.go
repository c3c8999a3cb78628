package ordersync

import (
	"cmp"
	"container/heap"
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// happening is something that will happen in a simulated world.
type happening struct {
	at  time.Time
	seq int // of two at one moment the one planned first comes first
	do  func()
}

// future is a heap of happenings by their time.
type future []happening

func (f future) Len() int { return len(f) }
func (f future) Less(i, j int) bool {
	return cmp.Or(f[i].at.Compare(f[j].at), cmp.Compare(f[i].seq, f[j].seq)) < 0
}
func (f future) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push is for package heap.
func (f *future) Push(h any) { *f = append(*f, h.(happening)) }

// Pop is for package heap.
func (f *future) Pop() any {
	last := len(*f) - 1
	h := (*f)[last]
	(*f)[last] = happening{}
	*f = (*f)[:last]
	return h
}

// in plans something.
func (w *world) in(d time.Duration, do func()) {
	w.planned++
	heap.Push(&w.future, happening{w.now.Add(max(d, 0)), w.planned, do})
}

// until lets things happen, one after the other, until done. It is false where
// that takes longer than until then, or nothing more would ever happen.
func (w *world) until(then time.Time, done func() bool) bool {
	for w.failure == "" && !done() {
		if w.future.Len() == 0 || w.future[0].at.After(then) {
			return false
		}
		h := heap.Pop(&w.future).(happening)
		w.now = h.at
		w.happened++
		h.do()
	}
	return w.failure == ""
}

// task is a goroutine of the world. It runs only while it holds the baton, and
// hands it back whenever it waits, so that one thing runs at a time and the
// same seed gives the same run.
type task struct {
	*world
	name  string
	proc  *process // it dies with it; nil: it is none of Gapless's
	baton chan bool
	wakes int // times it was to wake; of its planned wakes the last one counts
	ctx   context.Context
	then  func() // once it is over, however
	over  bool
	dying bool
	deeds
}

// spawn starts a task, and calls then once it is over.
func (w *world) spawn(p *process, name string, run func(*task), then func()) *task {
	t := &task{world: w, name: name, proc: p, baton: make(chan bool), then: then}
	w.tasks = append(w.tasks, t)
	go func() {
		defer t.end()
		if <-t.baton {
			run(t)
		}
	}()
	t.wakeIn(0)
	return t
}

// end is the last thing a task does, in whatever way it ends.
func (t *task) end() {
	if what := recover(); what != nil {
		t.fail("%s panics: %v\n%s", t.name, what, debug.Stack())
	}
	t.over = true
	t.back <- struct{}{}
}

// give lets a task run until it waits or is over.
func (w *world) give(t *task, live bool) {
	before := w.current
	w.current = t
	t.baton <- live
	<-w.back
	w.current = before
	if t.over {
		for i := range w.tasks {
			if w.tasks[i] == t {
				w.tasks = append(w.tasks[:i], w.tasks[i+1:]...)
				break
			}
		}
		if t.then != nil {
			t.then()
		}
	}
	if strike := w.strike; strike != nil {
		w.strike = nil
		strike()
	}
}

// wakeIn plans when a waiting task goes on; an earlier plan no longer counts.
func (t *task) wakeIn(d time.Duration) {
	t.wakes++
	n := t.wakes
	t.in(d, func() {
		switch {
		case t.over || n != t.wakes:
		case t.proc != nil && t.now.Before(t.proc.asleep):
			t.wakeIn(t.proc.asleep.Sub(t.now))
		default:
			t.give(t, true)
		}
	})
}

// park hands the baton back until somebody wakes the task. A task that is to
// die goes no further.
func (t *task) park() {
	if t.dying {
		return
	}
	t.back <- struct{}{}
	if !<-t.baton {
		t.dying = true
		runtime.Goexit()
	}
}

// sleep lets time pass.
func (t *task) sleep(d time.Duration) {
	if !t.dying {
		t.wakeIn(d)
		t.park()
	}
}

// wait is sleep that ends early with ctx.
func (t *task) wait(ctx context.Context, d time.Duration) error {
	t.ctx = ctx
	if ctx.Err() == nil {
		t.sleep(d)
	}
	t.ctx = nil
	return ctx.Err()
}

// interrupted wakes the tasks whose context has ended.
func (w *world) interrupted() {
	for _, t := range w.tasks {
		if t.ctx != nil && t.ctx.Err() != nil {
			t.wakeIn(0)
		}
	}
}

// kill ends the tasks of a process where they stand.
func (w *world) kill(p *process) {
	for _, t := range append([]*task(nil), w.tasks...) {
		if t.proc == p && !t.over {
			w.give(t, false)
		}
	}
}
