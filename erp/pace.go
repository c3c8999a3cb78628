package erp

import "context"

type paceKey struct{}

// WithPace has each request of a list wait until wait returns, so that a long
// list keeps an ERP's rate.
func WithPace(ctx context.Context, wait func(context.Context) error) context.Context {
	return context.WithValue(ctx, paceKey{}, wait)
}

// Pace waits until the next request of a list may leave: at once, where nobody
// set a pace. An error says that it may not leave any more.
func Pace(ctx context.Context) error {
	if wait, ok := ctx.Value(paceKey{}).(func(context.Context) error); ok {
		return wait(ctx)
	}
	return nil
}
