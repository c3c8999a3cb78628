package store

import (
	"context"
	"fmt"
)

// LiveGaps counts the gaps that are open or healing.
func (s *Store) LiveGaps(ctx context.Context) (n int64, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT count(*) FROM gaps WHERE state IN ('open', 'healing')`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count gaps: %w", err)
	}
	return n, nil
}
