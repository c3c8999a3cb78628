package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bojanz/currency"
	"github.com/dustin/go-humanize"
	"github.com/shopspring/decimal"
)

// How much of a foreign text is shown, in characters.
const (
	mostCode     = 8 // a currency
	mostName     = 60
	mostReason   = 200
	mostSentence = 400
)

// kinds says what is wrong, in the words of the people who put it right.
var kinds = map[string]string{
	"missing":      "Missing in the ERP",
	"stale":        "Older version in the ERP",
	"mismatch":     "Another total in the ERP",
	"doubled":      "More than once in the ERP",
	"stuck":        "On the way for too long",
	"parked":       "Waiting for a person",
	"orphan":       "In the ERP but not in Shopify",
	"subscription": "Shopify is not set to send its messages",
	"silence":      "Fewer messages from Shopify than usual",
}

// ways says what found a gap or healed it.
var ways = map[string]string{
	"poll":      "by asking Shopify for changes",
	"reconcile": "by the regular comparison",
	"deep":      "by the comparison of the last 60 days",
	"day":       "by this day's comparison",
	"backfill":  "by a backfill",
	"numbers":   "by a hole in the order numbers",
	"lag":       "after a message from Shopify that came late",
	"silence":   "after Shopify's messages fell silent",
	"delivery":  "as it was to be sent",
	"schedule":  "by a regular look",
	"webhook":   "by a message from Shopify",
}

// causes says why a gap came about.
var causes = map[string]string{
	"webhook_never_came":   "no message from Shopify told of it",
	"webhook_late":         "Shopify's message about it came late",
	"webhook_refused":      "a message that may have told of it was turned away here",
	"gapless_was_down":     "Gapless was not running when Shopify told of it",
	"erp_failed":           "the ERP has not taken it so far",
	"erp_lost":             "it was in the ERP and is no longer there",
	"erp_edited":           "it was changed in the ERP",
	"cancelled_in_erp":     "it was cancelled in the ERP, not in Shopify",
	"erp_doubled":          "the ERP holds several live documents for it",
	"not_updated":          "the ERP took the newer version and shows the older one",
	"order_refused":        "it was refused, or a rule holds it",
	"deleted_in_shopify":   "it was deleted in Shopify",
	"unknown_to_shopify":   "Shopify does not know it",
	"subscription_removed": "the setting by which Shopify sends its messages was removed there",
	"subscription_changed": "the setting by which Shopify sends its messages was not as it must be",
	"webhooks_fell_silent": "Shopify sent fewer messages than usual, and changes were lost",
}

// remedies says who does what about a gap that is open.
var remedies = map[string]string{
	"missing":      "the next comparison brings it into the ERP; a replay does so at once",
	"stale":        "the next comparison brings the ERP up to date; a replay does so at once",
	"mismatch":     "the next comparison puts the document right; a replay does so at once",
	"doubled":      "a person must cancel all but one of the documents in the ERP",
	"stuck":        "Gapless keeps trying; what the ERP answers says what to mend there",
	"parked":       "a person must mend what the reason names, then replay it",
	"orphan":       "a person must decide whether the document stays in the ERP",
	"subscription": "Gapless makes the subscription, or sets it right, within the hour; a replay does so at once",
	"silence":      "Gapless asks Shopify for changes more often until its messages come as usual",
}

// KindText says in a few words what is wrong where a gap is of this kind.
func KindText(kind string) string { return inWords(kinds, kind, "") }

// CauseText says in plain words why a gap came about.
func CauseText(cause string) string { return inWords(causes, cause, "") }

// WayText says what found a gap, or healed it.
func WayText(way string) string { return inWords(ways, way, "by ") }

// RemedyText says what is being done about a gap, or who must do what; empty
// where there is nothing left to do.
func RemedyText(kind, state string) string {
	switch state {
	case "open":
		return inWords(remedies, kind, "")
	case "healing":
		return "Gapless is putting it right; it closes once the ERP shows that"
	}
	return ""
}

// Span is how long something took, in its two largest units: "2 h 5 min".
func Span(d time.Duration) string { return span(int64(d / time.Second)) }

// inWords is a code's plain words, or the code itself where there are none.
func inWords(words map[string]string, key, before string) string {
	if text, known := words[key]; known {
		return text
	}
	return before + strings.ReplaceAll(plain(key, mostName), "_", " ")
}

// plain makes a foreign text fit to be shown: at most so many characters, on one
// line, and without anything that can't be seen. Marks that turn the direction
// of writing are among the latter.
func plain(text string, most int) string {
	var b strings.Builder
	for _, r := range text {
		if most--; most < 0 {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r):
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// sentence is a foreign text with a capital and a full stop.
func sentence(text string) string {
	text = plain(text, mostSentence)
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if strings.ContainsAny(text[len(text)-1:], ".!?") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// number is "23,410".
func number(n int64) string { return humanize.Comma(n) }

// counted is "1 order" or "2 orders".
func counted(n int64, thing string) string {
	if n == 1 || n == -1 {
		return number(n) + " " + thing
	}
	return number(n) + " " + thing + "s"
}

// sums are a tally's amounts, "118.40 EUR".
func sums(t Tally) []string {
	var list []string
	for _, m := range t.Money {
		list = append(list, m.String())
	}
	return list
}

// String is the amount for people: "23,410.20 EUR".
func (m Money) String() string {
	sign, size := "", m.Amount.Abs()
	if m.Amount.IsNegative() {
		sign = "-"
	}
	whole := size.BigInt()
	fraction := strings.TrimPrefix(digits(m.Currency, size), whole.String())
	return sign + humanize.BigComma(whole) + fraction + " " + plain(m.Currency, mostCode)
}

// MoneyText is an amount, decimal, for people: "23,410.20 EUR"; empty where there is none.
func MoneyText(amount, currency string) string {
	d, err := decimal.NewFromString(amount)
	if err != nil {
		return ""
	}
	return Money{Currency: currency, Amount: d}.String()
}

// digits is the amount for machines, 23410.20: as many decimals as the currency
// has, and more only where the amount has more.
func digits(of string, amount decimal.Decimal) string {
	places, known := currency.GetDigits(of)
	if !known || !amount.Equal(amount.Truncate(int32(places))) {
		return amount.String()
	}
	return amount.StringFixed(int32(places))
}

// span is how long something took, in its two largest units: "2 h 5 min".
func span(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	day := 24 * time.Hour
	switch {
	case d >= day:
		return two(d/day, "d", d%day/time.Hour, "h")
	case d >= time.Hour:
		return two(d/time.Hour, "h", d%time.Hour/time.Minute, "min")
	case d >= time.Minute:
		return two(d/time.Minute, "min", d%time.Minute/time.Second, "s")
	}
	return fmt.Sprintf("%d s", seconds)
}

func two(large time.Duration, unit string, small time.Duration, smaller string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, unit)
	}
	return fmt.Sprintf("%d %s %d %s", large, unit, small, smaller)
}
