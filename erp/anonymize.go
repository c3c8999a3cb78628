package erp

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// concealed stands where personal data stood.
const concealed = "[…]"

var (
	anyEmail = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+`)
	anyPhone = regexp.MustCompile(`\+\d[\d ()./-]{5,}\d`)
)

// Anonymize takes the order's personal data, and anything that looks like an
// email address or an international phone number, out of a text that an ERP
// wrote, so that the text can serve as a reason. ERPs like to name the customer
// in their errors.
func Anonymize(text string, o Order) string {
	text = anyEmail.ReplaceAllString(text, concealed)
	text = anyPhone.ReplaceAllString(text, concealed)
	for _, value := range personal(o) {
		text = conceal(text, value)
	}
	return text
}

// MaxExcerpt bounds an Excerpt, in characters, before the mark where it was cut.
const MaxExcerpt = 200

// Excerpt is what may be shown of a text that an ERP wrote: on one line, without
// control characters and the order's personal data. It is cut roughly at first,
// so that long pages cost little.
func Excerpt(text string, o Order) string {
	text = Anonymize(first(text, 4*MaxExcerpt), o)
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if short := first(text, MaxExcerpt); short != text {
		return short + "…"
	}
	return text
}

// first keeps the first n characters.
func first(s string, n int) string {
	for at := range s {
		if n == 0 {
			return s[:at]
		}
		n--
	}
	return s
}

// conceal replaces value, in any case, wherever it stands as words of its own.
func conceal(text, value string) string {
	if utf8.RuneCountInString(value) > utf8.RuneCountInString(text) {
		return text // a long note is costly to search for
	}
	pattern := regexp.MustCompile(`(?i)` + regexp.QuoteMeta(value))
	var out strings.Builder
	done := 0
	for _, at := range pattern.FindAllStringIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
		after, _ := utf8.DecodeRuneInString(text[at[1]:])
		if inWord(before) || inWord(after) {
			continue
		}
		out.WriteString(text[done:at[0]] + concealed)
		done = at[1]
	}
	return out.String() + text[done:]
}

// inWord says that r continues a word; the end of a text decodes as RuneError.
func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// personal are the order's values that point to a person, longest first, so
// that a whole name goes before its parts. Values of one or two letters stay:
// they would hit everything. Values that are not UTF-8 can't come from JSON.
func personal(o Order) []string {
	values := []string{o.Email, o.Phone, o.Note}
	if c := o.Customer; c != nil {
		values = append(values, c.Email, c.Phone)
		values = append(values, names(c.FirstName, c.LastName)...)
	}
	for _, a := range []*Address{o.Billing, o.ShippingTo} {
		if a == nil {
			continue
		}
		values = append(values, a.Company, a.Address1, a.Address2, a.City, a.Zip, a.Phone)
		values = append(values, names(a.Name, a.FirstName, a.LastName)...)
	}
	for _, attribute := range o.Attributes {
		values = append(values, attribute.Value)
	}
	values = slices.DeleteFunc(values, func(v string) bool {
		return utf8.RuneCountInString(v) < 3 || !utf8.ValidString(v)
	})
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(values)
}

// names are the names and each of their words.
func names(full ...string) []string {
	var words []string
	for _, name := range full {
		words = append(words, name)
		words = append(words, strings.FieldsFunc(name, func(r rune) bool { return !inWord(r) })...)
	}
	return words
}
