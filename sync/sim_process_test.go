package ordersync

import (
	"context"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"gapless/shopify"
	"gapless/store"
)

// process is one life of Gapless's process: the real store and engine, and the
// loops that drive the engine's steps as Run does.
type process struct {
	*world
	path      string // of the database
	store     *store.Store
	engine    *Engine
	door      *shopify.Door
	cycles    []*cycle
	takesBack *cycle

	calls, stop         context.Context // as in lane.run: attempts outlive a stop
	abandon, stopSignal context.CancelFunc
	asleep              time.Time // it is paused until then
	dead                bool
}

// boot starts Gapless over a database.
func (w *world) boot(path string) {
	p := &process{world: w, path: path}
	p.calls, p.abandon = context.WithCancel(context.Background())
	p.stop, p.stopSignal = context.WithCancel(p.calls)
	var err error
	if p.store, err = store.Open(p.stop, store.Options{Path: path, Now: w.clock, Step: p.step}); err != nil {
		panic(err)
	}
	if p.engine, err = New(p.store, w.config()); err != nil {
		panic(err)
	}
	if p.door, err = shopify.NewDoor(w.doorShops()); err != nil {
		panic(err)
	}
	p.door.Keep, p.door.Refused, p.door.Now = KeepIn(p.store), RefuseIn(p.store), w.clock
	w.proc = p
	w.note("Gapless starts")
	w.durable()
	w.spawn(p, "start", func(*task) { p.tell(p.engine.Recover(p.stop)) }, func() {
		if !p.dead {
			p.drive()
		}
	})
}

// tell notes an error that the engine would log.
func (p *process) tell(err error) {
	if err != nil {
		p.note("%s: %v", p.current.name, err)
	}
}

// step is the store's hook: a write is about to be queued, or is done.
func (p *process) step(done bool) {
	name := storeMethod()
	if name == "" || p.current == nil || p.current.proc != p {
		return // counts, which are kept from a goroutine of their own, or ourselves
	}
	t := p.current
	if !done {
		t.reach(before, name)
		t.watch(name)
		return
	}
	p.note("%s: %s", t.name, name)
	t.observe(name)
	p.changed(name)
	t.reach(after, name)
}

// storeMethod is the method that was called of the store, and now writes.
func storeMethod() (name string) {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		if _, method, found := strings.Cut(frame.Function, "store.(*Store)."); found && token.IsExported(method) {
			name = method
		}
		if !more {
			return name
		}
	}
}

// shut closes the store, once no task is left that uses it.
func (p *process) shut() {
	p.abandon()
	if err := p.store.Close(); err != nil {
		p.fail("closing the store: %v", err)
	}
}

// crash ends the process where it stands, for a while.
func (w *world) crash() { w.crashFor(w.downtime()) }

// crashFor ends the process. What SQLite has written stays; what is in memory goes,
// and so the file is copied before anybody can tidy up.
func (w *world) crashFor(downtime time.Duration) {
	p := w.proc
	if p.dead {
		return
	}
	w.note("Gapless crashes")
	next := p.take(p.path)
	w.endOf(p)
	w.in(downtime, func() { w.boot(next) })
}

// take copies the database as it is on the disk.
func (p *process) take(path string) string {
	next := filepath.Join(p.dir, fmt.Sprintf("%d.db", p.planned))
	for _, part := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + part)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(next+part, data, 0o600)
		}
		if err != nil {
			panic(err)
		}
	}
	return next
}

// endOf ends a process and removes its files.
func (w *world) endOf(p *process) {
	p.dead = true
	w.kill(p)
	p.shut()
	for _, part := range []string{"", "-wal", "-shm", ".lock"} {
		os.Remove(p.path + part) // what is missing is gone already
	}
}

func (w *world) downtime() time.Duration {
	if w.calm || w.chance(0.5) {
		return time.Second
	}
	return w.upTo(20 * time.Minute)
}

// halt stops the process as a supervisor does: the engine lets its calls finish
// for a while, then the store is closed well.
func (w *world) halt(then func(path string)) {
	p := w.proc
	if p.dead || p.stop.Err() != nil {
		return
	}
	w.note("Gapless is told to stop")
	p.stopSignal()
	w.interrupted()
	w.in(drainTime, func() {
		if p.dead {
			return
		}
		w.note("Gapless stops")
		path := p.path
		if w.busy(p) { // the supervisor kills what doesn't end
			path = p.take(path)
			w.endOf(p)
		} else {
			p.dead = true
			p.shut()
		}
		then(path)
	})
}

// busy says whether tasks of a process are under way.
func (w *world) busy(p *process) bool {
	for _, t := range w.tasks {
		if t.proc == p {
			return true
		}
	}
	return false
}

// up says whether Gapless answers.
func (w *world) up() bool { return !w.proc.dead && w.proc.stop.Err() == nil }

// emptyStore is a database as the first start leaves it.
var emptyStore = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "gapless-sim")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	s, err := store.Open(context.Background(), store.Options{Path: path})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		panic(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return data
})
