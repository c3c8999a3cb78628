package tryton

import (
	"context"
	"net/url"
	"time"

	"gapless/erp"
)

// Adapter is one Tryton database seen as one user. It is safe for concurrent use.
type Adapter struct {
	settings Settings
	client   *client
	known    *cache
}

var _ erp.Adapter = (*Adapter)(nil)

// Tier is B: see the package's comment.
func (a *Adapter) Tier() erp.Tier { return erp.TierB }

// Settle is how long a request may still take effect after its client has
// gone. The engine waits that long after an ambiguous call before it looks up.
func (a *Adapter) Settle() time.Duration { return a.settings.LongestRequest }

// Link is where Tryton's web client shows the sales that bear the reference
// {ref}: there is one, unless an order was doubled.
func (a *Adapter) Link() string {
	const domain = "%5B%5B%22reference%22%2C%22%3D%22%2C%22{ref}%22%5D%5D" // [["reference","=","{ref}"]]
	return a.settings.URL + "/#" + url.PathEscape(a.settings.Database) + "/model/sale.sale;domain=" + domain
}

func (a *Adapter) conn(t *erp.Transcript) conn { return conn{a.client, t, new(bool)} }

// Lookup finds the sales that bear the reference.
func (a *Adapter) Lookup(ctx context.Context, ref string, t *erp.Transcript) ([]erp.Found, error) {
	c := a.conn(t)
	rows, err := a.sales(ctx, c, ref)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	lines, err := a.heldLines(ctx, c, rows)
	if err != nil {
		return nil, err
	}
	var found []erp.Found
	for _, s := range rows {
		f := s.found(a.settings.State)
		f.Lines, f.Bare = lines[s.ID], true
		found = append(found, f)
	}
	return found, nil
}

// pageSize is how many sales one call of List reads.
const pageSize = 200

// List yields the sales with a reference that changed at or after since, by
// id. It starts earlier by the longest a request may run: Tryton stamps a
// record when the request begins and shows it when it ends.
func (a *Adapter) List(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
	c, from := a.conn(nil), stamp{since.Add(-a.settings.LongestRequest)}
	for last := int64(0); ; {
		if err := erp.Pace(ctx); err != nil {
			return err
		}
		domain := []any{
			[]any{"id", ">", last}, []any{"reference", "!=", nil},
			[]any{"OR", []any{[]any{"write_date", ">=", from}}, []any{[]any{"create_date", ">=", from}}},
		}
		rows, err := a.readSales(ctx, c, ask("model.sale.sale.search_read",
			domain, 0, pageSize, []any{[]any{"id", "ASC"}}, saleFields))
		if err != nil {
			return err
		}
		for _, s := range rows {
			last = s.ID
			if s.replaced() {
				continue
			}
			if err := yield(s.found(a.settings.State)); err != nil {
				return err
			}
		}
		if len(rows) < pageSize {
			return nil
		}
	}
}
