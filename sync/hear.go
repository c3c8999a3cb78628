package ordersync

import (
	"fmt"
	"runtime"
	"sync"

	"gapless/shopify"
	"gapless/store"
)

// message is an event as its body tells it, or why it can't be told.
type message struct {
	shopify.Message
	content shopify.Content // of Order
	err     error
}

// hearAll reads the bodies of events on all processors: it is most of the work
// of intake, and none of them needs another.
func hearAll(events []store.Event) []message {
	heard := make([]message, len(events))
	workers := min(runtime.GOMAXPROCS(0), len(events))
	var wg sync.WaitGroup
	for first := range workers {
		wg.Go(func() {
			for i := first; i < len(events); i += workers {
				heard[i] = hear(events[i])
			}
		})
	}
	wg.Wait()
	return heard
}

// hear reads an event's body. An error leaves the order's id, if it can be found.
func hear(ev store.Event) (m message) {
	defer func() {
		if what := recover(); what != nil { // a defect of ours must not stop the events behind it
			m = message{err: fmt.Errorf("reading the body failed in an unforeseen way: %v", what)}
			m.OrderID = shopify.OrderIDOf(ev.Body)
		}
	}()
	if ev.Body == nil {
		return message{err: fmt.Errorf("the body is gone")}
	}
	m.Message, m.err = decode(ev)
	if m.Order != nil {
		m.content = m.Order.Content()
	}
	return m
}

func decode(ev store.Event) (shopify.Message, error) {
	if ev.Source == store.SourceRefetch {
		order, err := shopify.DecodeGraphQLOrder(ev.Body)
		if err != nil {
			return shopify.Message{Topic: ev.Topic}, err
		}
		return shopify.Message{Topic: ev.Topic, Kind: shopify.KindOrder, OrderID: order.ID, Order: order}, nil
	}
	told, err := shopify.DecodeWebhook(ev.Topic, ev.Body)
	if err != nil {
		told.OrderID = shopify.OrderIDOf(ev.Body)
	}
	return told, err
}
