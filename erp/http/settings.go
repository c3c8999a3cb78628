package httperp

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gapless/erp"
)

// Settings say how this ERP wants to be spoken to. Only URL is needed. Paths
// into answers are jq programs over one document of the ERP.
type Settings struct {
	URL string `toml:"url"` // "https://erp.example.com/api"

	// Method creates: "PUT" (default) or "POST". UpdateMethod changes what is
	// there: PUT, POST or PATCH; default: as Method in tier A, else PUT.
	Method       string `toml:"method"`
	UpdateMethod string `toml:"update_method"`
	// OrderPath is the address of one order, with {ref} in it; default
	// "/orders/{ref}". CreatePath is where a create goes, default OrderPath.
	OrderPath  string `toml:"order_path"`
	CreatePath string `toml:"create_path"`
	ListPath   string `toml:"list_path"` // default "/orders"

	// Body is a jq program that makes the ERP's JSON object from the neutral
	// order; default ".". A key "version" is added, and on cancellation
	// "cancelled_at", unless the program sets them.
	Body string `toml:"body"`

	Secret  string            `toml:"secret"`  // signs writes: "whsec_" and 24 to 64 bytes in base64
	Token   string            `toml:"token"`   // sent as "Authorization: Bearer ..."
	Headers map[string]string `toml:"headers"` // sent with every request, kept as secrets

	ReferencePath string `toml:"reference_path"` // default ".ref // .reference"
	IDPath        string `toml:"id_path"`        // default ".id"; an answer without one: the reference
	VersionPath   string `toml:"version_path"`   // default ".version"
	TotalPath     string `toml:"total_path"`     // default ".total"
	CurrencyPath  string `toml:"currency_path"`  // default ".currency"
	CancelledPath string `toml:"cancelled_path"` // default ".cancelled_at // .cancelled"; anything but null, false and "" is cancelled
	UpdatedPath   string `toml:"updated_path"`   // default ".updated_at", RFC 3339
	LinesPath     string `toml:"lines_path"`     // of one order: its lines, each {sku, title, quantity, amount}; default: those of lines and shipping
	ItemsPath     string `toml:"items_path"`     // of a list: its documents; default ".orders? // ."
	NextPath      string `toml:"next_path"`      // of a list: a link or cursor to go on; default ".next"

	Timeout time.Duration `toml:"timeout"` // of one request; default 30 s
	Tier    erp.Tier      `toml:"tier"`    // "A" (default), "B" or "C"
}

// usualLines reads lines that are worded as in the neutral order.
const usualLines = `[(.lines[]?, .shipping[]?) | {sku, title: (.title // .name // .description), quantity: (.quantity // 1), amount}]`

func (s Settings) withDefaults() Settings {
	for setting, usual := range map[*string]string{
		&s.Method: "PUT", &s.OrderPath: "/orders/{ref}", &s.ListPath: "/orders", &s.Body: ".",
		&s.ReferencePath: ".ref // .reference", &s.IDPath: ".id", &s.VersionPath: ".version",
		&s.TotalPath: ".total", &s.CurrencyPath: ".currency",
		&s.CancelledPath: ".cancelled_at // .cancelled", &s.UpdatedPath: ".updated_at", &s.LinesPath: usualLines,
		&s.ItemsPath: ".orders? // .", &s.NextPath: ".next", (*string)(&s.Tier): string(erp.TierA),
	} {
		if *setting == "" {
			*setting = usual
		}
	}
	if s.CreatePath == "" {
		s.CreatePath = s.OrderPath
	}
	if s.UpdateMethod == "" {
		s.UpdateMethod = "PUT"
		if s.Tier == erp.TierA {
			s.UpdateMethod = s.Method
		}
	}
	if s.Timeout == 0 {
		s.Timeout = 30 * time.Second
	}
	s.URL = strings.TrimRight(s.URL, "/")
	return s
}

// Check finds every setting that can't be used. The error joins one
// *erp.SettingError for each.
func (s Settings) Check() error {
	_, err := New(s, http.DefaultClient, time.Now)
	return err
}

// problems are all settings that can't be used, jq programs aside.
func (s Settings) problems() error {
	bad := []error{s.checkURL(), s.checkSecret()}
	refuse := func(when bool, key, problem, fix string) {
		if when {
			bad = append(bad, &erp.SettingError{Key: key, Problem: problem, Fix: fix})
		}
	}
	refuse(!slices.Contains([]string{"PUT", "POST"}, s.Method),
		"method", "this method can't create an order", `write "PUT" or "POST"`)
	refuse(!slices.Contains([]string{"PUT", "POST", "PATCH"}, s.UpdateMethod),
		"update_method", "this method can't change an order", `write "PUT", "POST" or "PATCH"`)
	refuse(!strings.HasPrefix(s.OrderPath, "/") || !strings.Contains(s.OrderPath, "{ref}"),
		"order_path", "it does not lead to one order", `write a path with {ref} in it, such as "/orders/{ref}"`)
	refuse(!strings.HasPrefix(s.CreatePath, "/"),
		"create_path", "it is not a path", `write a path such as "/orders"`)
	refuse(!strings.HasPrefix(s.ListPath, "/"),
		"list_path", "it is not a path", `write a path such as "/orders"`)
	refuse(!slices.Contains([]erp.Tier{erp.TierA, erp.TierB, erp.TierC}, s.Tier),
		"tier", "there is no such tier", `write "A", "B" or "C"`)
	refuse(s.Timeout < 0, "timeout", "it is negative", `write a duration such as "30s"`)
	for name, value := range s.Headers {
		refuse(name == "" || strings.ContainsAny(name, " \t\r\n:") || strings.ContainsAny(value, "\r\n"),
			"headers", "a header's name or value can't be sent", "write names without spaces and colons, values on one line")
	}
	return errors.Join(bad...)
}

func (s Settings) checkURL() error {
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		return &erp.SettingError{Key: "url", Problem: "it is missing", Fix: `write the ERP's address, such as "https://erp.example.com/api"`}
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return &erp.SettingError{Key: "url", Problem: "it is not an address", Fix: `write one that starts with "https://"`}
	case u.User != nil || u.RawQuery != "":
		return &erp.SettingError{Key: "url", Problem: "a password or key in an address ends up in logs", Fix: "put it in token or headers"}
	}
	return nil
}

func (s Settings) checkSecret() error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Secret, "whsec_"))
	if s.Secret != "" && (err != nil || len(key) == 0) {
		return &erp.SettingError{Key: "secret", Problem: "it is not base64", Fix: `write "whsec_" and the secret's bytes in base64, or leave it out`}
	}
	return nil
}
