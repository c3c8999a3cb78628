package shopify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	goshopify "github.com/bold-commerce/go-shopify/v4"
)

// maxRetries bounds how often a query is repeated after a fault at Shopify or on
// the way. Throttling is no fault and is waited out for as long as ctx lasts.
const maxRetries = 3

// answer is the envelope of every GraphQL answer.
type answer struct {
	Data       json.RawMessage `json:"data"`
	Errors     json.RawMessage `json:"errors"` // a list, or one string
	Extensions struct {
		Cost *queryCost `json:"cost"`
	} `json:"extensions"`
}

type queryCost struct {
	Requested float64        `json:"requestedQueryCost"`
	Status    throttleStatus `json:"throttleStatus"`
}

// run sends a document until there is an answer that repeating would not
// better. Data and error are both set where the *APIError is Partial.
func (c *Client) run(ctx context.Context, doc document, vars map[string]any, p Priority) (json.RawMessage, error) {
	throttles, failures := 0, 0
	for {
		reserved, err := c.budget.take(ctx, doc.name, p)
		if err != nil {
			return nil, fmt.Errorf("shopify: %s: waiting for the rate limit: %w", c.domain, err)
		}
		got, err := c.spend(ctx, doc, vars, reserved)
		var refusal *APIError
		var pause time.Duration
		switch {
		case err == nil:
			return got.Data, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("shopify: %s: %s was given up: %w", c.domain, doc.name, ctx.Err())
		case errors.As(err, &refusal) && refusal.Throttled():
			pause = c.throttlePause(refusal, got.Extensions.Cost, throttles)
			throttles++
		case errors.As(err, &refusal) && refusal.Partial:
			return got.Data, err
		case errors.As(err, &refusal) && !refusal.Temporary(), failures == maxRetries, doc.once:
			return nil, err
		default:
			pause = c.backoff(refusal, failures)
			failures++
			c.log.Debug("asking Shopify again", "document", doc.name, "after", pause, "because", err)
		}
		if err := c.wait(ctx, pause); err != nil {
			return nil, fmt.Errorf("shopify: %s: waiting to repeat %s: %w", c.domain, doc.name, err)
		}
	}
}

// spend posts a document once, on points that are reserved for it. These are given
// back whatever happens: where a panic is recovered from, the shop's other queries
// must not wait for them.
func (c *Client) spend(ctx context.Context, doc document, vars map[string]any, reserved float64) (got answer, err error) {
	defer func() { c.budget.settle(doc.name, reserved, got.Extensions.Cost) }()
	return c.post(ctx, doc, vars)
}

// throttlePause is just long enough for the missing points to come back.
// Without a number from Shopify it grows from a second to half a minute.
func (c *Client) throttlePause(e *APIError, cost *queryCost, before int) time.Duration {
	if e.retryAfter > 0 {
		return e.retryAfter
	}
	if cost != nil && cost.Status.RestoreRate > 0 && cost.Requested > cost.Status.CurrentlyAvailable {
		return refill(cost.Requested-cost.Status.CurrentlyAvailable, cost.Status.RestoreRate)
	}
	return min(time.Second<<min(before, 5), 30*time.Second)
}

// backoff is a random part of a span that doubles: full jitter.
func (c *Client) backoff(e *APIError, before int) time.Duration {
	if e != nil && e.retryAfter > 0 {
		return e.retryAfter
	}
	return time.Duration(c.jitter() * float64(time.Second<<before))
}

// post sends a document once. go-shopify is the carrier; everything that needs
// judgement is below it in transport, or here.
func (c *Client) post(ctx context.Context, doc document, vars map[string]any) (answer, error) {
	// One go-shopify client a call: its counters are not safe to share.
	carrier, err := goshopify.NewClient(goshopify.App{}, c.domain, "",
		goshopify.WithHTTPClient(c.http), goshopify.WithVersion(c.version), goshopify.WithRetry(0))
	if err != nil {
		return answer{}, fmt.Errorf("shopify: %s: %w", c.domain, err)
	}
	var body json.RawMessage
	err = carrier.Post(ctx, "graphql.json", map[string]any{"query": doc.text, "variables": vars}, &body)
	if err != nil {
		return answer{}, c.readable(err)
	}
	var got answer
	if err := json.Unmarshal(body, &got); err != nil {
		return answer{}, fmt.Errorf("shopify: %s sent an answer that is not GraphQL", c.domain)
	}
	return got, c.refusal(got)
}

// readable strips what the layers between have put around an error.
func (c *Client) readable(err error) error {
	var refusal *APIError
	if errors.As(err, &refusal) {
		return refusal
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		return fmt.Errorf("shopify: %s can't be reached: %w", c.domain, outer.Err)
	}
	return fmt.Errorf("shopify: %s sent an answer that is not JSON", c.domain)
}

// refusal is the error in an answer, nil where there is none.
func (c *Client) refusal(got answer) error {
	hasData := len(got.Data) > 0 && !bytes.Equal(got.Data, []byte("null"))
	if len(got.Errors) == 0 || bytes.Equal(got.Errors, []byte("null")) {
		if !hasData {
			return fmt.Errorf("shopify: %s sent an answer without data", c.domain)
		}
		return nil
	}
	var faults []graphQLFault
	if err := json.Unmarshal(got.Errors, &faults); err != nil {
		var text string
		_ = json.Unmarshal(got.Errors, &text) // if it is no text either, nothing is lost
		faults = []graphQLFault{{Message: text}}
	}
	if len(faults) == 0 && hasData {
		return nil
	}
	return graphQLError(c.domain, faults, hasData)
}
