package store

import (
	"context"
	"fmt"
)

// Ignored counts those of faults, which were noted before, that somebody has
// ignored. That they are not closed says by which index they are found.
func (s *Store) Ignored(ctx context.Context, faults ...Fault) (n int64, err error) {
	for _, f := range faults {
		var ignored bool
		err := s.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM gaps WHERE shop = $1 AND order_id = $2 AND kind = $3 AND subject = $4 AND erp = $5
			AND state <> 'closed' AND state = 'ignored')`, f.Shop, f.OrderID, f.Kind, f.Subject, f.ERP).Scan(&ignored)
		if err != nil {
			return n, err
		}
		if ignored {
			n++
		}
	}
	return n, nil
}

// IgnoredStuck are the orders of a shop whose being stuck on their way to erp
// somebody has ignored, each with the version that was wanted then.
func (s *Store) IgnoredStuck(ctx context.Context, shop, erp string) (map[int64]string, error) {
	ignored := map[int64]string{}
	err := s.each(ctx, func(scan func(...any) error) error {
		var order int64
		var version string
		err := scan(&order, &version)
		ignored[order] = version
		return err
	}, `SELECT order_id, about FROM gaps WHERE state = 'ignored' AND +kind = 'stuck' AND +shop = $1 AND erp = $2`, shop, erp)
	if err != nil {
		return nil, fmt.Errorf("list the orders of %s that are stuck and ignored: %w", shop, err)
	}
	return ignored, nil
}
