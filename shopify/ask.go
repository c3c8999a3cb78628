package shopify

import (
	"context"
	"fmt"
	"maps"
)

// ask runs a document and reads its data. Data with holes is an error here.
func (c *Client) ask(ctx context.Context, doc document, vars map[string]any, p Priority) (node, error) {
	data, err := c.run(ctx, doc, vars, p)
	if err != nil {
		return node{}, err
	}
	return parseObject(data)
}

// list reads all pages of a short list.
func (c *Client) list(ctx context.Context, doc document, name string, vars map[string]any, p Priority) ([]node, error) {
	read := func(cursor string) (node, error) {
		vars := maps.Clone(vars)
		if cursor != "" {
			vars["after"] = cursor
		}
		data, err := c.ask(ctx, doc, vars, p)
		page := data.object(name)
		if err == nil && !page.has("nodes") {
			err = fmt.Errorf("shopify: the answer came without its %s", name)
		}
		return page, err
	}
	first, err := read("")
	if err != nil {
		return nil, err
	}
	if err := appendPages(first, read); err != nil {
		return nil, err
	}
	return first.objects("nodes"), nil
}

// change runs a mutation and makes an error of what it refuses.
func (c *Client) change(ctx context.Context, doc document, name string, vars map[string]any) (node, error) {
	data, err := c.ask(ctx, doc, vars, Heal)
	if err != nil {
		return node{}, err
	}
	result := data.object(name)
	for _, refusal := range result.objects("userErrors") {
		return result, fmt.Errorf("shopify: %s refuses: %s", c.domain, plain(refusal.text("message"), 200))
	}
	return result, nil
}
