package httperp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gapless/erp"
)

var errNextRepeats = errors.New("the ERP's list leads back to a page it came from; check next_path")

// List reads GET list_path?since= page by page: next_path leads to a link or
// to a cursor, which goes back as the parameter cursor. The time is cut to the
// second, so that no change within it is missed.
func (a *Adapter) List(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
	first, err := url.Parse(a.s.URL + a.s.ListPath)
	if err != nil {
		return fmt.Errorf("reading list_path: %w", err)
	}
	query := first.Query()
	query.Set("since", since.UTC().Truncate(time.Second).Format(time.RFC3339))
	first.RawQuery = query.Encode()

	seen := map[string]bool{}
	for page := first; page != nil; {
		if seen[page.String()] {
			return errNextRepeats
		}
		seen[page.String()] = true
		items, next, err := a.page(ctx, page.String())
		if err != nil {
			return fmt.Errorf("listing orders: %w", err)
		}
		for _, item := range items {
			if f := a.paths.found(item); f.Ref != "" {
				if err := yield(f); err != nil {
					return err
				}
			}
		}
		if page, err = follow(first, page, next); err != nil {
			return err
		}
	}
	return nil
}

// page reads one page: its documents and where to go on.
func (a *Adapter) page(ctx context.Context, address string) ([]any, string, error) {
	if err := erp.Pace(ctx); err != nil {
		return nil, "", err
	}
	ans := a.get(ctx, address, nil)
	if ans.err != nil {
		return nil, "", ans.err
	}
	if !ans.ok() {
		return nil, "", ans.problem("list_path")
	}
	v, err := ans.json()
	if err != nil {
		return nil, "", err
	}
	items, err := a.paths.items.Run(v)
	list, ok := items.([]any)
	if err != nil || !ok {
		return nil, "", errors.New("items_path does not lead to a list in the ERP's answer")
	}
	return list, text(a.paths.next, v), nil
}

// follow makes the next page's address from a link or a cursor; nil where next
// is empty. A link to another host is refused, for our credentials would go there.
func follow(first, page *url.URL, next string) (*url.URL, error) {
	switch {
	case next == "":
		return nil, nil
	case strings.Contains(next, "://"), strings.HasPrefix(next, "/"), strings.HasPrefix(next, "?"):
		link, err := page.Parse(next)
		if err != nil || link.Host != first.Host || link.Scheme != first.Scheme {
			return nil, errors.New("the ERP's list leads to another host; check next_path")
		}
		return link, nil
	}
	link := *first
	query := link.Query()
	query.Set("cursor", next)
	link.RawQuery = query.Encode()
	return &link, nil
}
