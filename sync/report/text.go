package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// writeText lays the page out for terminals and mail.
func (r Report) writeText(w io.Writer) error {
	p := r.page()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", p.Headline)
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "%-8s %s\n", f.Label, f.Text)
	}
	writeBalance(&b, p.Balance)
	writeItems(&b, "To be settled", p.Open)
	writeItems(&b, "Settled", p.Settled)
	if p.Hidden != "" {
		fmt.Fprintf(&b, "\n%s\n", p.Hidden)
	}
	writeList(&b, "Webhooks", p.Webhooks)
	writeList(&b, "Not seen", p.Notes)
	writeList(&b, "Changed since the day became final", p.Amendments)
	_, err := w.Write(b.Bytes())
	return err
}

// writeBalance aligns counts and amounts to the right; a further currency stands
// on a line of its own.
func writeBalance(b *bytes.Buffer, lines []line) {
	lines = append([]line{{Label: "Balance", Count: "Orders", Amounts: []string{"Amount"}}}, lines...)
	label, count, amount := 0, 0, 0
	for _, l := range lines {
		label, count = max(label, width(l.indented())), max(count, width(l.Count))
		for _, a := range l.Amounts {
			amount = max(amount, width(a))
		}
	}
	fmt.Fprintln(b)
	for _, l := range lines {
		head := fmt.Sprintf("%-*s  %*s", label, l.indented(), count, l.Count)
		for _, a := range l.Amounts {
			text := fmt.Sprintf("%-*s  %*s", width(head), head, amount, a)
			fmt.Fprintln(b, strings.TrimRight(text, " "))
			head = strings.Repeat(" ", width(head))
		}
	}
}

func (l line) indented() string {
	if l.Part {
		return "    " + l.Label
	}
	return l.Label
}

func width(text string) int { return utf8.RuneCountInString(text) }

func writeItems(b *bytes.Buffer, title string, items []item) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s: %d\n", title, len(items))
	for _, i := range items {
		fmt.Fprintf(b, "\n  %s\n", i.title())
		for _, sentence := range i.Course {
			fmt.Fprintf(b, "      %s\n", sentence)
		}
	}
}

func writeList(b *bytes.Buffer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", l)
	}
}
