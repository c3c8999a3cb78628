package store

import (
	"context"
	"time"
)

// takeBack takes deliveries from the attempts that have them in hand.
const takeBack = `UPDATE deliveries SET token = '', lease_until = 0, next_at = $1, changed_at = $1,
		state = CASE WHEN sent_at > 0 THEN 'unknown' ELSE 'due' END,
		ghost = CASE WHEN sent_at > 0 THEN sent ELSE ghost END, ghost_at = CASE WHEN sent_at > 0 THEN $1 ELSE ghost_at END,
		reason = CASE WHEN sent_at > 0 THEN 'the call to the ERP was cut off; its result is not known' ELSE reason END
	WHERE state = 'sending'`

// Recover frees all deliveries that were being sent: after a start nobody holds a
// lease any more. One whose call may have left becomes unknown, to be looked up at
// earliest.
func (s *Store) Recover(ctx context.Context) (freed int64, err error) {
	now := s.now()
	err = s.writer.apply(ctx, Deliveries, func(t *tx) error {
		freed, err = t.changed(takeBack, micros(now))
		return err
	})
	return freed, err
}

// TakeBack does the same with those whose lease ends by a moment that is past. Leases
// that were given since that moment was told may be by a clock that was set back.
func (s *Store) TakeBack(ctx context.Context, by time.Time) (freed int64, err error) {
	err = s.writer.apply(ctx, Deliveries, func(t *tx) error {
		now := micros(s.now())
		freed, err = t.changed(takeBack+` AND lease_until <= $2`, now, min(now, micros(by)))
		return err
	})
	return freed, err
}

// Replay asks that orders be verified in the ERP and sent again where it does
// not hold what it should, whatever their state. It returns how many it moved;
// those being sent just now are left alone. Who replays a parked one has seen to
// it that no earlier call is in doubt any more.
func (s *Store) Replay(ctx context.Context, keys []DeliveryKey, by string) (moved int64, err error) {
	now := s.now()
	err = s.writer.apply(ctx, Deliveries, func(t *tx) error {
		moved = 0
		for _, k := range keys {
			n, err := replay(t, k, by, now)
			if err != nil {
				return err
			}
			moved += n
		}
		return nil
	})
	return moved, err
}

func replay(t *tx, k DeliveryKey, by string, now time.Time) (moved int64, err error) {
	moved, err = t.changed(`UPDATE deliveries SET state = CASE WHEN state = 'unknown' THEN state ELSE 'due' END, verify = 1, tries = 0,
			next_at = $1, changed_at = $1, sent_at = CASE WHEN state = 'parked' THEN 0 ELSE sent_at END,
			present = CASE WHEN state = 'parked' THEN 0 ELSE present END, reason = '', field = '', hint = '', rule = '',
			since = CASE WHEN state IN ('delivered', 'excluded', 'parked') THEN $1 ELSE since END
		WHERE shop = $2 AND order_id = $3 AND erp = $4 AND state <> 'sending'`, micros(now), k.Shop, k.ID, k.ERP)
	if err != nil || moved == 0 {
		return moved, err
	}
	if err := offerAnew(t, k); err != nil {
		return moved, err
	}
	return moved, decide(t, Decision{At: now, Shop: k.Shop, OrderID: k.ID, Step: "operator", Outcome: "replay", Detail: "by " + by})
}
