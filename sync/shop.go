package ordersync

import (
	"context"
	"fmt"
	"time"

	"gapless/store"
)

// learnShop asks a shop who it is, and for its time zone, by which its days end.
func (e *Engine) learnShop(ctx context.Context, shop *Shop) error {
	told, err := shop.Client.Shop(ctx)
	if err != nil {
		return fmt.Errorf("ask %s for its time zone: %w", shop.Name, err)
	}
	if _, err := time.LoadLocation(told.Timezone); err != nil {
		return fmt.Errorf("the time zone of %s: %w", shop.Name, err)
	}
	return e.store.LearnShop(ctx, store.Shop{Name: shop.Name, Domain: shop.Domain, ShopifyID: told.ID, Timezone: told.Timezone})
}

// SameShops makes sure that each name in the config stands for the shop that it
// stood for so far: under another one's cursor, the orders of a shop would be
// taken for seen. It must be asked before anything is heard or asked under these
// names. A shop whose domain changes keeps its id in Shopify.
func (e *Engine) SameShops(ctx context.Context) error {
	for name, shop := range e.shops {
		known, err := e.store.Shop(ctx, name)
		if err == nil {
			err = e.sameShop(ctx, shop, known)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) sameShop(ctx context.Context, shop *Shop, known store.Shop) error {
	if known.Domain == "" || known.Domain == shop.Domain {
		return nil
	}
	told, err := shop.Client.Shop(ctx)
	if err != nil {
		return fmt.Errorf("the shop %s had the domain %s so far, and %s could not be asked whether it is the same shop: %w", shop.Name, known.Domain, shop.Domain, err)
	}
	if told.ID != known.ShopifyID {
		return fmt.Errorf("%s is not the shop whose orders are stored under the name %s, which is %s: give it a [[shops]] section with a name of its own", shop.Domain, shop.Name, known.Domain)
	}
	return e.learnShop(ctx, shop)
}
