package store

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// Standing is what is known of one order and of its document in the ERP: one
// line of the comparison with Shopify and the ERP.
type Standing struct {
	OrderKey
	Name        string
	Version     string
	Currency    string
	Total       string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	CancelledAt time.Time
	DeletedAt   time.Time
	ERP         string // empty: no delivery
	State       string
	Wanted      string
	Held        string
	Sent        string    // the version of the last intent: the ERP's document may carry it, where the change since concerned nothing that is mapped
	Present     bool      // a document was seen in the ERP
	Since       time.Time // when it last left delivered, excluded or parked
	Behind      bool      // an order of the past that lets today's go first, and was not tried yet
	ChangedAt   time.Time
	WrittenAt   time.Time // when a call of ours last changed the document
	Rule        string
	Reason      string
	ERPTotal    string
}

// Axis says by which time orders fall into a window.
type Axis int

// Axes.
const (
	ByUpdated Axis = iota
	ByCreated
)

// standingPage is how many orders are read at once: short enough not to hold up
// checkpoints.
const standingPage = 5000

const standingColumns = `o.shop, o.id, o.name, o.version, o.currency, o.total, o.created_at, o.updated_at, o.cancelled_at, o.deleted_at,
	coalesce(d.erp, ''), coalesce(d.state, ''), coalesce(d.wanted, ''), coalesce(d.held, ''), coalesce(d.sent, ''), coalesce(d.present, 0), coalesce(d.since, 0),
	coalesce(d.background = 1 AND d.tries = 0, 0), coalesce(d.changed_at, 0), coalesce(d.written_at, 0), coalesce(d.rule, ''), coalesce(d.reason, ''), coalesce(d.erp_total, '')`

const fromStandings = ` FROM orders o LEFT JOIN deliveries d ON d.shop = o.shop AND d.order_id = o.id AND d.erp = $1`

// A window of a few days is found by its index, whose ids are all that is sorted;
// one that takes in most orders is read along the primary key. The pluses say
// which, for the planner knows no figures.
var standings = map[bool]map[Axis]string{
	false: {ByUpdated: narrowStandings("updated_at"), ByCreated: narrowStandings("created_at")},
	true:  {ByUpdated: wideStandings("updated_at"), ByCreated: wideStandings("created_at")},
}

func narrowStandings(axis string) string {
	return `SELECT ` + standingColumns + fromStandings + ` WHERE o.shop = $2 AND o.id IN (SELECT w.id FROM orders w
		WHERE w.shop = $2 AND w.` + axis + ` >= $3 AND w.` + axis + ` < $4 AND +w.id > $5 ORDER BY +w.id LIMIT $6) ORDER BY o.id`
}

func wideStandings(axis string) string {
	return `SELECT ` + standingColumns + fromStandings + ` WHERE o.shop = $2 AND +o.` + axis + ` >= $3 AND +o.` + axis + ` < $4 AND o.id > $5 ORDER BY o.id LIMIT $6`
}

// wideWindow is from where on a window is read along the primary key.
const wideWindow = 7 * 24 * time.Hour

// Standings reads what is known of a shop's orders whose time lies in [from,
// to), and of their documents in erp, by ascending id, a page at a time.
func (s *Store) Standings(ctx context.Context, shop, erp string, by Axis, from, to time.Time) iter.Seq2[Standing, error] {
	query := standings[to.Sub(from) > wideWindow][by]
	return func(yield func(Standing, error) bool) {
		var page []Standing
		for after := int64(-1 << 62); ; {
			var err error
			page, err = s.standings(ctx, page[:0], query, erp, shop, micros(from), micros(to), after, standingPage)
			if err != nil {
				yield(Standing{}, fmt.Errorf("read what is known of the orders of %s: %w", shop, err))
				return
			}
			for _, st := range page {
				if !yield(st, nil) {
					return
				}
			}
			if len(page) < standingPage {
				return
			}
			after = page[len(page)-1].ID
		}
	}
}

// StandingsOf reads what is known of the orders named; those that are not known
// are left out.
func (s *Store) StandingsOf(ctx context.Context, erp string, keys []OrderKey) (map[OrderKey]Standing, error) {
	known := make(map[OrderKey]Standing, len(keys))
	for _, k := range keys {
		found, err := s.standings(ctx, nil, `SELECT `+standingColumns+fromStandings+` WHERE o.shop = $2 AND o.id = $3`, erp, k.Shop, k.ID)
		if err != nil {
			return nil, fmt.Errorf("read what is known of order %d of %s: %w", k.ID, k.Shop, err)
		}
		for _, st := range found {
			known[k] = st
		}
	}
	return known, nil
}

// standings appends what query finds to all.
func (s *Store) standings(ctx context.Context, all []Standing, query string, args ...any) ([]Standing, error) {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var st Standing
		var created, updated, cancelled, deleted, since, changed, written int64
		if err := rows.Scan(&st.Shop, &st.ID, &st.Name, &st.Version, &st.Currency, &st.Total, &created, &updated, &cancelled, &deleted,
			&st.ERP, &st.State, &st.Wanted, &st.Held, &st.Sent, &st.Present, &since, &st.Behind, &changed, &written, &st.Rule, &st.Reason, &st.ERPTotal); err != nil {
			return nil, err
		}
		st.CreatedAt, st.UpdatedAt, st.CancelledAt, st.DeletedAt = timeOf(created), timeOf(updated), timeOf(cancelled), timeOf(deleted)
		st.Since, st.ChangedAt, st.WrittenAt = timeOf(since), timeOf(changed), timeOf(written)
		all = append(all, st)
	}
	return all, rows.Err()
}

// Unlisted tells how many of the delivered orders that changed in [from, to) a
// list of the ERP's documents that begins at reach shows and one that begins at
// since does not, because no call of ours changed them after it, and when the
// oldest of them was written. Those that were placed later were written later, too.
func (s *Store) Unlisted(ctx context.Context, shop, erp string, from, to, reach, since time.Time) (n int64, oldest time.Time, err error) {
	if !reach.Before(since) {
		return 0, time.Time{}, nil
	}
	var written int64
	err = s.readers.QueryRowContext(ctx, `SELECT count(*), coalesce(min(max(d.written_at, o.created_at)), 0)`+fromStandings+`
		WHERE o.shop = $2 AND o.updated_at >= $3 AND o.updated_at < $4 AND o.created_at < $6 AND d.state = 'delivered'
			AND max(d.written_at, o.created_at) >= $5 AND max(d.written_at, o.created_at) < $6`,
		erp, shop, micros(from), micros(to), micros(reach), micros(since)).Scan(&n, &written)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count the orders of %s that the ERP's list can't show: %w", shop, err)
	}
	return n, timeOf(written), nil
}
