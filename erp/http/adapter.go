package httperp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gapless/erp"
)

// Adapter is an erp.Adapter. It is safe for concurrent use.
type Adapter struct {
	s      Settings
	client *http.Client
	now    func() time.Time
	signer *standardwebhooks.Webhook // nil: writes are not signed
	body   erp.Body
	paths  paths
}

var _ erp.Adapter = (*Adapter)(nil)

// New checks the settings and readies the adapter; nothing is sent yet. The
// error joins one *erp.SettingError for each setting that can't be used. Of the
// client only the way redirects are handled is replaced: they are not followed.
// now is the clock for signatures and Retry-After.
func New(s Settings, client *http.Client, now func() time.Time) (*Adapter, error) {
	a := &Adapter{s: s.withDefaults(), now: now}
	body, err := erp.CompileBody(a.s.Body)
	a.body = body
	errs := []error{a.s.problems(), err}
	for _, p := range []struct {
		key, source string
		into        **erp.JQ
	}{
		{"reference_path", a.s.ReferencePath, &a.paths.ref},
		{"id_path", a.s.IDPath, &a.paths.id},
		{"version_path", a.s.VersionPath, &a.paths.version},
		{"total_path", a.s.TotalPath, &a.paths.total},
		{"currency_path", a.s.CurrencyPath, &a.paths.currency},
		{"cancelled_path", a.s.CancelledPath, &a.paths.cancelled},
		{"updated_path", a.s.UpdatedPath, &a.paths.updated},
		{"lines_path", a.s.LinesPath, &a.paths.lines},
		{"items_path", a.s.ItemsPath, &a.paths.items},
		{"next_path", a.s.NextPath, &a.paths.next},
	} {
		var err error
		*p.into, err = compile(p.key, p.source)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if s.Secret != "" {
		signer, err := standardwebhooks.NewWebhook(s.Secret)
		if err != nil {
			return nil, fmt.Errorf("reading the secret: %w", err)
		}
		a.signer = signer
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a.client = &own
	return a, nil
}

// Tier is what the settings say of the ERP.
func (a *Adapter) Tier() erp.Tier { return a.s.Tier }

// Lookup asks for the address of ref. 404 means that nothing is there; an
// answer with a list tells of several documents.
func (a *Adapter) Lookup(ctx context.Context, ref string, t *erp.Transcript) ([]erp.Found, error) {
	ans := a.get(ctx, a.orderURL(a.s.OrderPath, ref), t)
	switch {
	case ans.err != nil:
		return nil, fmt.Errorf("looking up an order: %w", ans.err)
	case ans.status == http.StatusNotFound || ans.status == http.StatusGone:
		return nil, nil
	case !ans.ok():
		return nil, fmt.Errorf("looking up an order: %w", ans.problem("order_path"))
	}
	v, err := ans.json()
	if err != nil {
		return nil, fmt.Errorf("looking up an order: %w", err)
	}
	return a.paths.documents(v, ref)
}

// Check asks for an order that can't be there and for an empty list.
func (a *Adapter) Check(ctx context.Context) error {
	found, err := a.Lookup(ctx, checkRef, nil)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return errors.New("the ERP finds an order that was never sent; check order_path and reference_path")
	}
	return a.List(ctx, a.now(), func(erp.Found) error { return nil })
}

// checkRef is a reference that no shop makes.
const checkRef = "gapless-check"

// compile reads the jq program of the setting key.
func compile(key, source string) (*erp.JQ, error) {
	program, err := erp.CompileJQ(source)
	if err != nil {
		return nil, &erp.SettingError{
			Key: key, Problem: err.Error(), Fix: `write a jq program such as ".data.total"`,
		}
	}
	return program, nil
}
