package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"gapless/store"
)

// ErrNotRunning says that the engine does not run, so that nothing can be left
// to it.
var ErrNotRunning = errors.New("Gapless is just starting or stopping; ask again in a moment")

// background is the work that goes on beside whoever asked for it, as long as
// the engine runs.
type background struct {
	mu   sync.Mutex
	ctx  context.Context // nil: the engine does not run
	work sync.WaitGroup
}

func (b *background) open(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ctx = ctx
}

// close lets no more work begin, and waits for what is under way.
func (b *background) close() {
	b.mu.Lock()
	b.ctx = nil
	b.mu.Unlock()
	b.work.Wait()
}

// join has close wait until leave is called.
func (b *background) join() (ctx context.Context, leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx == nil {
		return nil, nil, ErrNotRunning
	}
	b.work.Add(1)
	return b.ctx, b.work.Done, nil
}

// StartReconcile begins a comparison and returns the id of its run; the running
// engine carries it out. The same one that is under way is store.ErrRunning.
func (e *Engine) StartReconcile(ctx context.Context, shop string, pass Pass) (id int64, err error) {
	running, leave, err := e.background.join()
	if err != nil {
		return 0, err
	}
	r, err := e.begin(ctx, shop, pass)
	if err != nil {
		leave()
		return 0, err
	}
	id = r.run.ID
	go func() {
		defer leave()
		_, err := r.carryOut(running)
		e.tellEnd(running, &r.run, err)
	}()
	return id, nil
}

// StartPoll begins a poll and returns the id of its run; the running engine
// carries it out. Another one that was asked for and is under way is
// store.ErrRunning.
func (e *Engine) StartPoll(ctx context.Context, shop, by string) (id int64, err error) {
	if e.shops[shop] == nil {
		return 0, fmt.Errorf("there is no shop named %q in the config", shop)
	}
	running, leave, err := e.background.join()
	if err != nil {
		return 0, err
	}
	run := store.Run{Shop: shop, Kind: store.RunPoll, By: by, Heal: true} // its window is known once it is over
	if err := e.store.BeginRun(ctx, &run); err != nil {
		leave()
		return 0, err
	}
	id = run.ID
	go func() {
		defer leave()
		e.tellEnd(running, &run, e.pollAsRun(running, &run))
	}()
	return id, nil
}

// pollAsRun polls, and keeps how it went in run.
func (e *Engine) pollAsRun(ctx context.Context, run *store.Run) error {
	result, err := e.Poll(ctx, run.Shop)
	run.State, run.Done, run.Found = store.RunDone, int64(result.Seen), int64(result.Lost)
	switch {
	case ctx.Err() != nil:
		run.State = store.RunStopped
	case err != nil:
		run.State, run.Note = store.RunFailed, err.Error()
	}
	var told error
	run.Data, told = json.Marshal(result)
	return errors.Join(err, told, e.store.SaveRun(context.WithoutCancel(ctx), run))
}

// tellEnd logs what went wrong with a run that nobody waits for.
func (e *Engine) tellEnd(ctx context.Context, run *store.Run, err error) {
	if err != nil && ctx.Err() == nil {
		e.log.Warn("a run that was asked for failed", "run", run.ID, "kind", run.Kind, "shop", run.Shop, "by", run.By, "err", err)
	}
}
