package ordersync

import (
	"context"
	"encoding/json"
	"fmt"

	"gapless/store"
)

// CancelBackfill ends a backfill that is under way, and what Shopify still does
// for it. The orders it has brought in so far stay. One that has ended is
// store.ErrEnded.
func (e *Engine) CancelBackfill(ctx context.Context, run store.Run, by string) error {
	shop := e.shops[run.Shop]
	if shop == nil {
		return fmt.Errorf("there is no shop named %q in the config", run.Shop)
	}
	run.State, run.Note = store.RunStopped, "cancelled by "+by
	if err := e.store.SaveRun(ctx, &run); err != nil {
		return fmt.Errorf("cancel the backfill of %s: %w", run.Shop, err)
	}
	var place backfillPlace
	if err := json.Unmarshal(run.Data, &place); err != nil || place.Operation == "" {
		return nil //nolint:nilerr // then it has begun nothing in Shopify
	}
	operation, err := shop.Client.BulkOperation(ctx, place.Operation)
	if err == nil && !operation.Done() {
		err = shop.Client.BulkCancel(ctx, place.Operation)
	}
	if err != nil {
		return fmt.Errorf("the backfill of %s is cancelled here, but Shopify goes on reading its orders until it is done: %w", run.Shop, err)
	}
	return nil
}
