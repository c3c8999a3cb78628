package store

import "context"

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
