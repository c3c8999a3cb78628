package shopify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// ReadBulk reads the file of an operation that has ended: order after order by
// ascending id, leaving out the first skip, and stops at the first error of
// yield. It holds one order at a time. A connection that breaks is made anew,
// and what was read already is passed over.
//
// An operation that completed without a file found no orders. A failed one may
// have a file all the same, of what it got until then; its last order may lack
// lines and so comes as a head only, and so does that of a file that holds less
// than the operation tells. ErrBulkGone says that the file is no longer kept.
func (c *Client) ReadBulk(ctx context.Context, o BulkOperation, skip int, yield func(BulkOrder) error) error {
	address, err := c.fileOf(o)
	if address == nil || err != nil {
		return err
	}
	r := &bulkReading{client: c, address: address, partial: o.URL == "", objects: o.Objects, told: skip, yield: yield}
	for failures := 0; ; failures++ {
		before := r.told
		again, err := r.read(ctx)
		if !again {
			return err
		}
		if r.told > before {
			failures = 0
		}
		if failures == maxRetries {
			return err
		}
		c.log.Debug("reading the file of a bulk operation again", "orders", r.told, "because", err)
		var refusal *APIError
		errors.As(err, &refusal)
		if err := c.wait(ctx, c.backoff(refusal, failures)); err != nil {
			return fmt.Errorf("shopify: %s: waiting to read a bulk file again: %w", c.domain, err)
		}
	}
}

// fileOf is where an operation's file lies; nil where it found nothing. The
// address is signed and goes into no error and no log.
func (c *Client) fileOf(o BulkOperation) (*url.URL, error) {
	switch {
	case !o.Done():
		return nil, fmt.Errorf("shopify: the bulk operation is %s and has no file yet", o.Status)
	case o.Status == BulkExpired:
		return nil, ErrBulkGone
	case o.URL != "":
		return c.fileAddress(o.URL)
	case o.PartialURL != "":
		return c.fileAddress(o.PartialURL)
	case o.Status == BulkCompleted:
		return nil, nil
	}
	return nil, fmt.Errorf("shopify: the bulk operation is %s without a file (%s); start it again", o.Status, cmp.Or(o.ErrorCode, "no reason told"))
}

// fileAddress takes https only, and http where api_url leads to a pretend shop.
func (c *Client) fileAddress(text string) (*url.URL, error) {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.Scheme != "https" && (address.Scheme != "http" || !c.pretend) {
		return nil, errors.New("shopify: the file of a bulk operation is not at an https address")
	}
	return address, nil
}

// bulkReading is how far ReadBulk has come.
type bulkReading struct {
	client  *Client
	address *url.URL
	partial bool
	objects int64 // that the file should hold
	told    int   // orders that yield has had, or need not have
	yield   func(BulkOrder) error
}

// read reads the file from its start, and says whether another try may get
// further.
func (r *bulkReading) read(ctx context.Context) (again bool, err error) {
	resp, err := r.client.openFile(ctx, r.address)
	if err != nil {
		var refusal *APIError
		final := errors.Is(err, ErrBulkGone) || errors.As(err, &refusal) && !refusal.Temporary()
		return !final && ctx.Err() == nil, err
	}
	defer resp.Body.Close()
	passed := 0
	lines := newBulkLines(func(o BulkOrder) error {
		if passed++; passed <= r.told {
			return nil
		}
		r.told++
		return r.yield(o)
	})
	if broken, err := lines.all(resp.Body); err != nil {
		return broken && ctx.Err() == nil, err
	}
	return false, lines.end(r.partial || lines.objects < r.objects)
}

// openFile begins to read a file in Shopify's storage. That is another host: it
// never sees the access token, and a redirect is not followed.
func (c *Client) openFile(ctx context.Context, address *url.URL) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	body := &patientBody{cancel: cancel, limit: c.patience}
	body.patience = time.AfterFunc(c.patience, func() { cancel(errStandstill) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		body.Close()
		return nil, errors.New("shopify: the file of a bulk operation has no usable address")
	}
	req.Header.Set("User-Agent", "Gapless")
	resp, err := c.files.Do(req)
	body.patience.Stop()
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("shopify: the file of a bulk operation can't be read: %w", reason(ctx, err))
	}
	body.inner, resp.Body = resp.Body, body
	if resp.StatusCode != http.StatusOK {
		body.Close()
		return nil, fileRefused(resp)
	}
	return resp, nil
}

// reason is why a request failed, without its address.
func reason(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStandstill) {
		return errStandstill
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// fileRefused explains a status of the storage. The signature of an address runs
// out, to which storages answer with any of these.
func fileRefused(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w (its storage answered %d)", ErrBulkGone, resp.StatusCode)
	}
	return statusError(resp.Request.URL.Host, resp)
}

// errStandstill says that nothing came for as long as an answer may take.
var errStandstill = errors.New("it stands still")

// patientBody is a download that may take as long as it will, but must not stand
// still.
type patientBody struct {
	inner    io.ReadCloser
	cancel   context.CancelCauseFunc
	patience *time.Timer
	limit    time.Duration
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.patience.Reset(b.limit)
	defer b.patience.Stop()
	return b.inner.Read(p)
}

func (b *patientBody) Close() error {
	b.patience.Stop()
	b.cancel(nil)
	if b.inner == nil {
		return nil
	}
	return b.inner.Close()
}
