package erp_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gapless/erp"
	"gapless/erp/erptest"
)

func TestAnonymize(t *testing.T) {
	o := erptest.Order("acme-1")
	o.Customer.FirstName = "Ana"
	for text, want := range map[string]string{
		"unknown article MUG-01":                          "unknown article MUG-01",
		"party Zoë Müller-Østergård has no VAT number":    "party […] has no VAT number",
		"party MÜLLER, zoë exists":                        "party […], […] exists",
		"Ana ordered a banana, manana":                    "[…] ordered a banana, manana",
		"mail to <someone.else@example.org> failed":       "mail to <[…]> failed",
		"phone +34 600 123 456 is not valid":              "phone […] is not valid",
		"no zone for 28013 Madrid":                        "no zone for […] […]",
		"EAN 8412345678901 is unknown in order of 28013.": "EAN 8412345678901 is unknown in order of […].",
		"":                                  "",
		"\xff\xfe broken bytes of Ana \xff": "\xff\xfe broken bytes of […] \xff",
		"note: Leave it with the neighbour at number 44 !": "note: […] !",
	} {
		if got := erp.Anonymize(text, o); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := erp.Anonymize("no order here", erp.Order{}); got != "no order here" {
		t.Errorf("an empty order: %q", got)
	}
}

func FuzzAnonymize(f *testing.F) {
	f.Add("Zoë", "party Zoë exists")
	f.Add("a.b", "axb a.b")
	f.Add("ſſſ", "sss SSS")
	f.Fuzz(func(t *testing.T, name, text string) {
		got := erp.Anonymize(text+" "+name+" "+text, erp.Order{Note: name})
		if len(name) < 3 || !utf8.ValidString(name) || strings.ContainsFunc(name, notLetter) {
			return
		}
		for _, word := range strings.FieldsFunc(got, notLetter) {
			if word == name && len([]rune(name)) >= 3 {
				t.Fatalf("%q still stands in %q", name, got)
			}
		}
	})
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }
