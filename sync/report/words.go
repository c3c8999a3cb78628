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
	"subscription": "Shopify is not set to send webhooks",
	"silence":      "Fewer webhooks than usual",
}

// ways says what found a gap or healed it.
var ways = map[string]string{
	"poll":      "by asking Shopify for changes",
	"reconcile": "by the regular comparison",
	"deep":      "by the comparison of the last 60 days",
	"day":       "by this day's comparison",
	"backfill":  "by a backfill",
	"numbers":   "by a hole in the order numbers",
	"lag":       "after a webhook that came late",
	"silence":   "after webhooks fell silent",
	"delivery":  "as it was to be sent",
	"schedule":  "by a regular look",
}

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
