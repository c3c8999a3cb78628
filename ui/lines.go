package ui

import (
	"strings"

	"gapless/store"
)

// lines tell how each shop, its webhooks and each ERP are.
func (v *visit) lines() ([]lineState, error) {
	connected := v.Actions.Connections()
	var all []lineState
	for _, c := range connected.Shops {
		shop, err := v.Store.Shop(v.Context(), c.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, v.shopLine(c, shop), v.webhookLine(c, shop))
	}
	first, err := v.firstClock()
	if err != nil {
		return nil, err
	}
	for _, e := range connected.ERPs {
		all = append(all, erpLine(e, first))
	}
	return all, nil
}

func (v *visit) shopLine(c ShopConnection, shop store.Shop) lineState {
	l := lineState{Icon: "shop", Name: "Shopify shop " + c.Name, What: c.Domain, Tone: "good", State: "Answers", At: v.clock(shop).at(shop.PolledAt)}
	switch {
	case !shop.UninstalledAt.IsZero():
		l.Tone, l.State, l.What = "bad", "App removed", "The app was uninstalled in Shopify. Install it again, and Gapless goes on by itself."
	case shop.PollError != "":
		l.Tone, l.State, l.What = "bad", "Does not answer", short(shop.PollError, 300)
	case shop.PolledAt.IsZero():
		l.Tone, l.State = "quiet", "Not asked yet"
	}
	return l
}

func (v *visit) webhookLine(c ShopConnection, shop store.Shop) lineState {
	l := lineState{Icon: "event", Name: "Messages from " + c.Name, What: "Shopify tells of each change at once", Tone: "good", State: "Subscribed", At: v.clock(shop).at(shop.SubscribedAt)}
	switch {
	case !c.Webhooks:
		l.Tone, l.State, l.What = "quiet", "Switched off", "Gapless asks Shopify for changes instead"
	case shop.SubscribeError != "":
		l.Tone, l.State, l.What = "bad", "Not subscribed", short(shop.SubscribeError, 300)
	case shop.SubscribedAt.IsZero():
		l.Tone, l.State = "quiet", "Not looked at yet"
	}
	return l
}

func erpLine(e ERPConnection, c clock) lineState {
	l := lineState{Icon: "erp", Name: "ERP " + e.Name, What: e.Kind + "; " + tiers[e.Tier], Tone: "good", State: "Takes orders"}
	if !e.Until.IsZero() {
		l.Tone, l.State, l.At = "bad", "Not reachable", c.at(e.Until)
		l.What = strings.TrimSuffix(short(e.Reason, 300), ".") + ". Orders wait here and go on by themselves."
	}
	return l
}

// tiers say how far an ERP keeps orders from being doubled.
var tiers = map[string]string{
	"A": "it refuses a second copy of an order by itself",
	"B": "each doubtful call is looked up before it is repeated",
	"C": "after a doubtful call a person decides",
}
