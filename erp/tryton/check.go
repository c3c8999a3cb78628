package tryton

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// series is the Tryton this adapter is written for and tested against.
const series = "6.0."

// Check tests address, version, log-in, company and every product and tax that
// the settings name, and joins all it finds wrong.
func (a *Adapter) Check(ctx context.Context) error {
	c := a.conn(nil)
	if err := c.checkVersion(ctx); err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	if s.context["company"] == nil {
		wrong = append(wrong, errors.New("the user has no company in Tryton; set one in the user's preferences"))
	}
	if _, err := a.sales(ctx, c, "gapless-check"); err != nil {
		wrong = append(wrong, fmt.Errorf("the user can't read sales; add it to the group Sales in Tryton: %w", err))
	}
	wrong = append(wrong, a.checkProducts(ctx, c)...)
	return errors.Join(append(wrong, a.checkTaxes(ctx, c)...)...)
}

// checkVersion asks the server itself, which needs no log-in.
func (c conn) checkVersion(ctx context.Context) error {
	got, err := c.post(ctx, c.root, []byte(`{"id":1,"method":"common.server.version","params":[]}`), "", nil)
	if err != nil {
		return noAnswer(false, err)
	}
	var version string
	if got.status != http.StatusOK {
		return got.refusal(false)
	}
	if _, err := got.result(&version, false); err != nil {
		return fmt.Errorf("there is no Tryton at the address in `url`: %w", err)
	}
	if !strings.HasPrefix(version, series) {
		return fmt.Errorf("this adapter is for Tryton %sx, the server is %.20q", series, version)
	}
	return nil
}

func (a *Adapter) checkProducts(ctx context.Context, c conn) []error {
	keys := a.settings.Products.byKey()
	if a.settings.FallbackProduct != "" {
		keys["fallback_product"] = a.settings.FallbackProduct
	}
	found, err := a.findProducts(ctx, c, slices.Collect(maps.Values(keys)))
	if err != nil {
		return []error{fmt.Errorf("look for products: %w", err)}
	}
	var wrong []error
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if n := len(found[keys[key]]); n != 1 {
			wrong = append(wrong, fmt.Errorf("%s: Tryton has %d products with the code %q; it needs exactly one", key, n, keys[key]))
		}
	}
	return wrong
}

func (a *Adapter) checkTaxes(ctx context.Context, c conn) []error {
	var wrong []error
	for _, title := range slices.Sorted(maps.Keys(a.settings.Taxes)) {
		name := a.settings.Taxes[title]
		matching, err := a.matchingTaxes(ctx, c, taxRef{Name: name})
		if err != nil {
			return append(wrong, fmt.Errorf("look for taxes: %w", err))
		}
		if len(matching) != 1 {
			wrong = append(wrong, fmt.Errorf("taxes.%q: Tryton has %d taxes on sales called %q; it needs exactly one", title, len(matching), name))
		}
	}
	return wrong
}
