package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
	"gapless/erp/pull"
	"gapless/store"
	ordersync "gapless/sync"
)

// kindPull is the ERP that calls.
const kindPull = "pull"

// feed is the store as an adapter for an ERP that pulls sees it. The store is
// opened after the adapters are made.
type feed struct {
	*Appliance
	name string // of the ERP
}

var _ pull.Feed = feed{}

// Offer puts a document on offer.
func (f feed) Offer(ctx context.Context, doc erp.Document) (pull.Offer, error) {
	o, err := f.Store.Offer(ctx, store.Offer{
		ERP: f.name, Ref: doc.Ref, Order: store.OrderKey{Shop: doc.Order.Shop, ID: doc.Order.ID},
		Version: doc.Version, Hash: doc.Hash(), Cancelled: doc.Cancelled, Body: doc.Body,
	})
	if err != nil {
		return pull.Offer{}, err
	}
	return offerTold(o)
}

// Newest is the last offer of a reference.
func (f feed) Newest(ctx context.Context, ref string) (pull.Offer, error) {
	o, err := f.Store.NewestOffer(ctx, f.name, ref)
	if errors.Is(err, store.ErrNotFound) {
		return pull.Offer{}, pull.ErrNone
	}
	if err != nil {
		return pull.Offer{}, err
	}
	return offerTold(o)
}

// Taken is what the ERP acknowledged last of a reference.
func (f feed) Taken(ctx context.Context, ref string) ([]erp.Found, error) {
	o, err := f.Store.TakenOffer(ctx, f.name, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := foundIn(o)
	return []erp.Found{found}, err
}

// TakenSince yields what the ERP acknowledged since.
func (f feed) TakenSince(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
	return f.Store.TakenOffers(ctx, f.name, since, func(o store.Offer) error {
		found, err := foundIn(o)
		if err != nil {
			return err
		}
		return yield(found)
	})
}

// offerTold is a stored offer. One that was superseded stands no more, so that
// the same document is offered anew.
func offerTold(o store.Offer) (pull.Offer, error) {
	told := pull.Offer{Version: o.Version, Hash: o.Hash, OfferedAt: o.OfferedAt, ID: o.ERPRef, Reason: o.Reason, Field: o.Field}
	switch o.State {
	case store.OfferSuperseded:
		told.Hash = ""
	case store.OfferTaken:
		told.Answer = pull.Taken
	case store.OfferRefused:
		told.Answer = pull.Refused
	}
	var err error
	told.Total, err = amountIn(o)
	return told, err
}

func foundIn(o store.Offer) (erp.Found, error) {
	total, err := amountIn(o)
	return erp.Found{Ref: o.Ref, ID: o.ERPRef, Version: o.Version, Total: total, Currency: o.Currency, Cancelled: o.Cancelled, UpdatedAt: o.AnsweredAt}, err
}

// amountIn is the total that an ERP acknowledged; nil where it told none.
func amountIn(o store.Offer) (*erp.Amount, error) {
	if o.Total == "" {
		return nil, nil
	}
	total, err := decimal.NewFromString(o.Total)
	if err != nil {
		return nil, fmt.Errorf("the total that was acknowledged of %s can't be read: %w", o.Ref, err)
	}
	return &erp.Amount{Decimal: total}, nil
}

// feeds are the names of the ERPs that pull.
func (c *Config) feeds() (names []string) {
	for _, e := range c.ERPs {
		if e.Kind == kindPull {
			names = append(names, e.Name)
		}
	}
	return names
}

// pulls sets aside what is for calls: nobody is called, so no call lingers, and
// that the ERP has not come yet does not show that it is down.
func pulls(e ordersync.ERP) ordersync.ERP {
	e.Longest, e.Circuit = 0, ordersync.CircuitConfig{Failures: math.MaxInt}
	return e
}
