package ui

import (
	"context"
	"sync"
	"time"

	"gapless/store"
)

// lastDay keeps the hours that are over: they don't change any more.
type lastDay struct {
	mu   sync.Mutex
	over map[time.Time]store.Hour
}

// hours are the last 24 of the clock, the present one last.
func (s *Server) hours(ctx context.Context) ([]store.Hour, error) {
	d := &s.lastDay
	d.mu.Lock()
	defer d.mu.Unlock()
	present := s.Now().UTC().Truncate(time.Hour)
	hours, over := make([]store.Hour, 24), map[time.Time]store.Hour{}
	for i := range hours {
		at := present.Add(time.Duration(i-23) * time.Hour)
		h, known := d.over[at]
		if !known {
			var err error
			if h, err = s.Store.Hour(ctx, at); err != nil {
				return nil, err
			}
		}
		if hours[i] = h; at.Before(present) {
			over[at] = h
		}
	}
	d.over = over
	return hours, nil
}
