package tryton

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gapless/erp"
)

// Settings are the keys of an [[erps]] section with kind = "tryton".
type Settings struct {
	URL      string `toml:"url"` // "https://erp.example.com", without the database
	Database string `toml:"database"`
	User     string `toml:"user"`
	Password string `toml:"password"`

	// State is how far a sale is taken: draft, quotation or confirmed (default).
	State string `toml:"state"`

	Products Products `toml:"products"`
	// FallbackProduct is the code of the product that stands in for a SKU
	// Tryton does not know. Empty: such an order is refused.
	FallbackProduct string `toml:"fallback_product"`

	// Taxes names the Tryton tax for a Shopify tax, by its title ("IVA") or its
	// rate ("21%" or "0.21"). Other taxes are found by their rate among
	// Tryton's taxes on sales.
	Taxes map[string]string `toml:"taxes"`

	// PartyPrefix and Shopify's customer number make the code of the
	// customer's party. Empty: the shop's name and a hyphen.
	PartyPrefix string `toml:"party_prefix"`
	// GuestParty is the code of the party of orders without a customer
	// (default "SHOPIFY-GUEST"). It is made where it is missing.
	GuestParty string `toml:"guest_party"`

	// Timeout bounds one request (default 30s).
	Timeout time.Duration `toml:"timeout"`
	// LongestRequest is how long Tryton may go on with a request after its
	// client has gone (default 2m): what the engine waits after an ambiguous call.
	LongestRequest time.Duration `toml:"longest_request"`
}

// Products are the codes of Tryton products for what is not an article. Those
// without a default are needed only by orders that have such an amount, which
// are refused until the code is set.
type Products struct {
	Shipping string `toml:"shipping"` // default SHIPPING
	Discount string `toml:"discount"` // default DISCOUNT
	Rounding string `toml:"rounding"` // default ROUNDING
	Tip      string `toml:"tip"`
	Duties   string `toml:"duties"`
	Fees     string `toml:"fees"`
	// ChannelTax is for taxes that the sales channel pays to the state: they
	// are part of the order's total but none of the merchant's tax.
	ChannelTax string `toml:"channel_tax"`
	// GiftCard stands in for gift cards whose SKU is empty or unknown.
	GiftCard string `toml:"gift_card"`
}

// byKey lists the codes that are set under the keys they are set by.
func (p Products) byKey() map[string]string {
	keys := map[string]string{
		"products.shipping": p.Shipping, "products.discount": p.Discount,
		"products.rounding": p.Rounding, "products.tip": p.Tip, "products.duties": p.Duties,
		"products.fees": p.Fees, "products.channel_tax": p.ChannelTax,
		"products.gift_card": p.GiftCard,
	}
	for key, code := range keys {
		if code == "" {
			delete(keys, key)
		}
	}
	return keys
}

func (s Settings) withDefaults() Settings {
	for field, usual := range map[*string]string{
		&s.State: stateConfirmed, &s.GuestParty: "SHOPIFY-GUEST",
		&s.Products.Shipping: "SHIPPING", &s.Products.Discount: "DISCOUNT",
		&s.Products.Rounding: "ROUNDING",
	} {
		if *field == "" {
			*field = usual
		}
	}
	if s.Timeout == 0 {
		s.Timeout = 30 * time.Second
	}
	if s.LongestRequest == 0 {
		s.LongestRequest = 2 * time.Minute
	}
	s.URL = strings.TrimRight(s.URL, "/")
	taxes := make(map[string]string, len(s.Taxes))
	for from, to := range s.Taxes {
		taxes[taxKey(from)] = strings.TrimSpace(to)
	}
	s.Taxes = taxes
	return s
}

// taxKey is how titles and rates are compared: whatever their case.
func taxKey(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// problems are all that is wrong with the settings, joined; nil where nothing is.
func (s Settings) problems() error {
	var found []error
	wrong := func(key, problem, fix string) {
		found = append(found, &erp.SettingError{Key: key, Problem: problem, Fix: fix})
	}
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		wrong("url", "is not the address of a Tryton server", `set it to one like "https://erp.example.com"`)
	}
	if s.Database == "" || strings.ContainsAny(s.Database, "/?#") {
		wrong("database", "is not the name of a database", "set it to the name people choose at Tryton's log-in")
	}
	if s.User == "" || strings.Contains(s.User, ":") {
		wrong("user", "is empty or holds a colon", "set it to the login of Tryton's user for Gapless")
	}
	if s.Password == "" {
		wrong("password", "is empty", `set it to "env:NAME" or "file:PATH"`)
	}
	if _, known := rank[s.State]; !known || rank[s.State] > rank[stateConfirmed] {
		wrong("state", "is not a state a sale can be left in", `set it to "draft", "quotation" or "confirmed"`)
	}
	for from, to := range s.Taxes {
		if from == "" || to == "" {
			wrong("taxes", "has an empty title or name", `write lines like "IVA 21%" = "name of the tax in Tryton"`)
		}
	}
	if s.Timeout < 0 {
		wrong("timeout", "is negative", `set it to something like "30s"`)
	}
	if s.LongestRequest < 0 {
		wrong("longest_request", "is negative", `set it to something like "2m"`)
	}
	return errors.Join(found...)
}

// Check finds every setting that is wrong. The error joins one
// *erp.SettingError for each.
func (s Settings) Check() error {
	_, err := New(s, http.DefaultClient, time.Now)
	return err
}

// New makes the adapter. Its error joins one *erp.SettingError for each setting
// that is wrong. client carries every request; now is the clock.
func New(s Settings, client *http.Client, now func() time.Time) (*Adapter, error) {
	given := len(s.Taxes)
	s = s.withDefaults()
	err := s.problems()
	if len(s.Taxes) != given {
		err = errors.Join(err, &erp.SettingError{Key: "taxes", Problem: "has the same title twice, in upper and lower case", Fix: "keep one of them"})
	}
	if err != nil {
		return nil, err
	}
	return &Adapter{
		settings: s,
		client:   newClient(s, client, now),
		known:    newCache(now),
	}, nil
}
