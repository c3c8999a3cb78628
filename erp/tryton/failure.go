package tryton

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gapless/erp"
)

// failure is a call that did not do what it was for, already judged: Rejected
// where Tryton refuses for good, Retry where it surely did nothing, Unknown
// where nobody can tell.
type failure struct {
	result erp.Result
	reason string
	after  time.Duration
	// said are Tryton's own words. They may repeat what the order holds, so they
	// leave this package only through scrub.
	said string
}

// Error leaves Tryton's own words out: errors end up in logs.
func (f *failure) Error() string { return f.reason }

// unsure is the verdict on a request that may have arrived: a read can be
// repeated, a write must be looked up.
func unsure(writes bool) erp.Result {
	if writes {
		return erp.Unknown
	}
	return erp.Retry
}

// noAnswer judges a request that ended without an answer. Only a connection
// that was never made proves that nothing was sent.
func noAnswer(writes bool, err error) *failure {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return &failure{result: erp.Retry, reason: "Tryton can't be reached"}
	}
	reason := "the connection to Tryton broke before it answered"
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		reason = "Tryton did not answer in time"
	}
	return &failure{result: unsure(writes), reason: reason}
}

// outcome tells the engine of err. order is what must not be repeated in it.
func outcome(err error, order erp.Order) erp.Outcome {
	var problem *erp.Problem
	if errors.As(err, &problem) {
		return erp.Outcome{Result: erp.Rejected, Reason: problem.Reason, Field: problem.Field, Hint: problem.Hint}
	}
	var f *failure
	if !errors.As(err, &f) {
		return erp.Outcome{Result: erp.Unknown, Reason: scrub(err.Error(), order)}
	}
	out := erp.Outcome{Result: f.result, Reason: f.reason, After: f.after}
	if f.said != "" {
		out.Reason += ": " + scrub(f.said, order)
	}
	if f.result == erp.Rejected {
		out.Hint = "mend what Tryton names, there or in the order, then replay the order"
	}
	return out
}

// longestReason bounds Tryton's words in a reason, in bytes.
const longestReason = 300

// scrub takes what is personal in the order out of text, and bounds it.
func scrub(text string, o erp.Order) string {
	for _, word := range personal(o) {
		text = replaceFold(text, word)
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if len(text) <= longestReason {
		return text
	}
	cut := longestReason
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// replaceFold replaces word in text whatever its case.
func replaceFold(text, word string) string {
	lower, find := strings.ToLower(text), strings.ToLower(word)
	if len(lower) != len(text) { // folding moved the bytes: keep none of a text that holds it
		if strings.Contains(lower, find) {
			return "(text withheld)"
		}
		return text
	}
	var b strings.Builder
	for {
		at := strings.Index(lower, find)
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:at])
		b.WriteString("…")
		text, lower = text[at+len(find):], lower[at+len(find):]
	}
}

// personal lists what in the order tells of a person, and the words of it:
// Tryton may quote a name in part. Words of one or two letters say nothing, and
// of a note only longer ones do: the others are in every sentence.
func personal(o erp.Order) []string {
	all := []string{o.Email, o.Phone}
	if c := o.Customer; c != nil {
		all = append(all, c.FirstName, c.LastName, c.Email, c.Phone)
	}
	for _, a := range []*erp.Address{o.Billing, o.ShippingTo} {
		if a != nil {
			all = append(all, a.Name, a.FirstName, a.LastName, a.Company,
				a.Address1, a.Address2, a.City, a.Zip, a.Phone)
		}
	}
	words := longWords(o.Note, 6)
	for _, s := range all {
		words = append(words, longWords(s, 3)...)
	}
	return words
}

// longWords are s as a whole and its words, as far as they have least letters.
func longWords(s string, least int) []string {
	short := func(w string) bool { return utf8.RuneCountInString(w) < least }
	return slices.DeleteFunc(append([]string{strings.TrimSpace(s)}, strings.Fields(s)...), short)
}
