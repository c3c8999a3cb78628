package ui

import (
	"encoding/json"
	"errors"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/store"
)

func held(sku, title string, quantity int64, amount string) DocumentLine {
	return DocumentLine{SKU: sku, Title: title, Quantity: decimal.NewFromInt(quantity), Amount: amount}
}

func TestLinesArePairedAndTheirDifferencesNamed(t *testing.T) {
	ours := sheet{
		Lines: []sheetLine{
			{SKU: "CUP", Title: "Cup", Quantity: 2, Amount: "10.00"}, {SKU: "CUP", Title: "Cup", Variant: "engraved", Quantity: 1, Amount: "9.00"},
			{SKU: "BAG", Title: "Bag", Quantity: 3, Amount: "30.00"}, {SKU: "NEW", Title: "Novelty", Quantity: 1, Amount: "5.00"},
			{SKU: "HAT", Title: "Hat", Quantity: 1, Amount: "7.00"}, {SKU: "GONE", Title: "Removed", Quantity: 0, Amount: "0.00"},
		},
		Shipping: []sheetLine{{Title: "Express", Amount: "4.00"}},
	}
	rebate := held("REBATE", "Discount", 1, "-2.00")
	rebate.Extra = true
	theirs := []DocumentLine{
		held("CUP", "Cup engraved", 1, "9.00"), held("CUP", "Cup", 2, "10.0"), held("BAG", "Bag", 2, "20.00"), held("OTHER", "novelty", 1, "5.50"),
		held("SHIP", "Express", 1, "4.00"), rebate, held("PEN", "Pen", 1, ""),
	}
	told := map[string]string{}
	for _, r := range beside(ours.sold(), theirs, false, "EUR") {
		told[r.Title] = r.Shopify + "; " + r.ERP + "; " + r.Differs
	}
	require.Equal(t, map[string]string{
		"Cup": "2 for 10.00 EUR; 2 for 10.00 EUR; ", "Cup - engraved": "1 for 9.00 EUR; 1 for 9.00 EUR; ", "Bag": "3 for 30.00 EUR; 2 for 20.00 EUR; quantity differs, amount differs",
		"Novelty": "1 for 5.00 EUR; 1 for 5.50 EUR; amount differs", "Hat": "1 for 7.00 EUR; ; not in the ERP", "Express": "1 for 4.00 EUR; 1 for 4.00 EUR; ",
		"Discount": "; 1 for -2.00 EUR; ", "Pen": "; 1; only in the ERP",
	}, told)
	for _, r := range beside(ours.sold(), theirs, true, "EUR") {
		require.NotContains(t, r.Differs, "amount", "amounts without taxes are no measure")
	}
}

// linesShown are the rows of an order's lines, as text.
func (s *site) linesShown(path string) []string {
	s.Helper()
	page := s.html("GET", path, "").body
	_, rest, found := strings.Cut(page, `id="lines"`)
	require.True(s, found, page)
	section, _, _ := strings.Cut(rest, "</section>")
	var rows []string
	for _, row := range regexp.MustCompile(`(?s)<tr.*?</tr>|<p.*?</p>`).FindAllString(section, -1) {
		rows = append(rows, strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]+>`).ReplaceAllString(row, " "))), " "))
	}
	return rows
}

func TestAnOrderStandsBesideWhatTheERPHoldsLineByLine(t *testing.T) {
	s := newPages(t)
	s.actions.neutral = json.RawMessage(`{"currency":"EUR","lines":[{"sku":"CUP","title":"Cup","quantity":2,"amount":"12.50"}],"shipping":[]}`)
	require.Equal(t, []string{"Shopify", "Cup CUP 2 for 12.50 EUR"}, s.linesShown("/orders/acme/1"), "nothing was sent yet")

	s.actions.documents = []Document{{ID: "SO-1", Cancelled: true}, {ID: "SO-2", Lines: []DocumentLine{held("CUP", "Cup", 3, "18.75")}}}
	require.Equal(t, []string{"Shopify ERP, asked 09:00 just now", "Cup CUP quantity differs, amount differs 2 for 12.50 EUR 3 for 18.75 EUR"}, s.linesShown("/orders/acme/1?erp=ask"), "the live document counts")
	s.actions.documents[1].Bare = true
	require.Contains(t, strings.Join(s.linesShown("/orders/acme/1?erp=ask"), "\n"), "without taxes and before discounts")
	s.actions.documents = nil
	require.Equal(t, []string{"The ERP holds no document of this order now.", "Shopify ERP, asked 09:00 just now", "Cup CUP not in the ERP 2 for 12.50 EUR none"}, s.linesShown("/orders/acme/1?erp=ask"))
	s.actions.documents = []Document{{ID: "SO-1"}}
	require.Contains(t, s.linesShown("/orders/acme/1?erp=ask")[0], "does not tell its lines")
}

func TestWhatWasSentLastStandsInForAnERPThatCannotTell(t *testing.T) {
	sent := func(result, request string) store.Try {
		exchanges, err := json.Marshal([]map[string]string{{"request": request}, {"request": "GET http://erp/orders/acme-1\n"}})
		require.NoError(t, err)
		return store.Try{Attempt: store.Attempt{StartedAt: epoch}, Outcome: &store.Outcome{Result: result, Exchanges: exchanges}}
	}
	ours := sheet{Currency: "EUR", Lines: []sheetLine{{SKU: "CUP", Title: "Cup", Quantity: 2, Amount: "12.50"}}}
	c := clock{time.UTC, epoch}
	whole := sent("updated", `PUT http://erp/orders/acme-1`+"\n"+`{"lines":[{"sku":"CUP","title":"Cup","quantity":1,"amount":"6.25"}]}`)
	told := sentLines(ours, []store.Try{{}, sent("rejected", "PUT x\n{}"), whole}, c)
	require.Equal(t, "Sent to the ERP", told.Head)
	require.Equal(t, []lineRow{{Title: "Cup", SKU: "CUP", Shopify: "2 for 12.50 EUR", ERP: "1 for 6.25 EUR", Differs: "quantity differs, amount differs"}}, told.Rows)
	for _, unreadable := range []string{"PUT x\n{\"lines\":[{", "POST x\n[1]", "PUT", ""} {
		told = sentLines(ours, []store.Try{sent("created", unreadable)}, c)
		require.Empty(t, told.Head, unreadable)
		require.Empty(t, told.Rows[0].Differs, "nothing is known of what it was sent")
	}
}

func TestAnERPThatDoesNotAnswerLeavesThePageWhole(t *testing.T) {
	s := newPages(t)
	s.actions.failing = errors.New("dial tcp 10.0.0.1: secret detail")
	rows := s.linesShown("/orders/acme/1?erp=ask")
	require.Equal(t, "The ERP could not be asked just now.", rows[0])
	require.NotContains(t, strings.Join(rows, ""), "secret")
}

// comparedShown is what a preview says of both sides, as text.
func (s *site) comparedShown(path string) string {
	s.Helper()
	page := s.html("GET", path, "").body
	_, rest, found := strings.Cut(page, "<dt>Shopify now</dt>")
	require.True(s, found, page)
	section, _, _ := strings.Cut(rest, "</section>")
	return "Shopify now " + strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]+>`).ReplaceAllString(section, " "))), " ")
}

func TestAPreviewSetsBothSidesBesideEachOtherWithTheLinesThatDiffer(t *testing.T) {
	s := newPages(t)
	s.actions.plan.Calls = nil
	s.actions.neutral = json.RawMessage(`{"currency":"EUR","lines":[{"sku":"CUP","title":"Cup","quantity":2,"amount":"12.50"},{"sku":"BAG","title":"Bag","quantity":1,"amount":"5.00"}],"shipping":[]}`)
	s.actions.documents = []Document{{ID: "SO-1", Cancelled: true, Lines: []DocumentLine{}}, {ID: "SO-2", Total: "23.75", Currency: "EUR", Version: "2026-11-23T08:00:00Z/87654321", Lines: []DocumentLine{held("CUP", "Cup", 3, "18.75"), held("BAG", "Bag", 1, "5.00")}}}
	const both = "Shopify now 12.50 EUR, as of 09:00:00 12345678 ERP now SO-1, cancelled SO-2, 23.75 EUR, as of 08:00:00 87654321"
	for _, path := range []string{"/replay?gap=1", "/replay?order=acme/1"} {
		require.Equal(t, both+" Lines that differ Shopify ERP now Cup CUP quantity differs, amount differs 2 for 12.50 EUR 3 for 18.75 EUR", s.comparedShown(path))
	}
	s.actions.documents[1].Lines[0] = held("CUP", "Cup", 2, "12.50")
	require.Equal(t, both+" Each line is the same on both sides.", s.comparedShown("/replay?gap=1"))
	s.actions.documents[1].Lines = nil
	require.Equal(t, both, s.comparedShown("/replay?gap=1"), "the ERP does not tell its lines")
	s.actions.documents = nil
	require.Equal(t, "Shopify now 12.50 EUR, as of 09:00:00 12345678 ERP now no document", s.comparedShown("/replay?gap=1"))
}
