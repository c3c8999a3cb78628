package report

import (
	"time"

	"github.com/shopspring/decimal"
)

func d(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// tally counts orders and takes currencies and amounts in turn.
func tally(orders int64, money ...string) Tally {
	t := Tally{Orders: orders}
	for i := 0; i < len(money); i += 2 {
		t.Add(money[i], d(money[i+1]))
	}
	return t
}

// clock22 is a moment of 22 November 2026 in Madrid, an hour ahead of UTC.
func clock22(hour, minute int) time.Time {
	return time.Date(2026, 11, 22, hour, minute, 0, 0, time.UTC).Add(-time.Hour)
}

func day22() Report {
	return Report{
		Shop: "acme", Day: "2026-11-22", Timezone: "Europe/Madrid",
		From: clock22(0, 0), To: clock22(24, 0), MadeAt: clock22(31, 0),
		CompleteThrough: clock22(24, 0), Complete: true,
	}
}

// balanced is a day on which all went well in the end.
func balancedDay() Report {
	r := day22()
	r.FrozenAt = clock22(31, 0)
	r.Balance = Balance{
		Shopify: tally(412, "EUR", "23410.20"), ERP: tally(399, "EUR", "22960.20"), Cancelled: tally(5, "EUR", "210"),
		Excluded: tally(4, "EUR", "40"), Pending: tally(3, "EUR", "150"), Parked: tally(1, "EUR", "50"),
	}
	r.ByRule = []Excluded{{"test orders", tally(3, "EUR", "30")}, {"gift cards", tally(1, "EUR", "10")}}
	r.Gaps = []Gap{
		{
			ID: 71, Kind: "missing", Shop: "acme", Order: "#1042", OrderID: 5501042, Cause: "webhook_never_came", CauseText: "the webhook never came", State: "closed",
			FoundBy: "poll", Since: clock22(14, 2), FirstSeen: clock22(14, 10), DetectedAfter: 480,
			HealedBy: "poll", ClosedAt: clock22(14, 12), HealAfter: 95, Total: d("59.2"), Currency: "EUR",
		},
	}
	r.Webhooks = Webhooks{Received: 1203, Duplicate: 12, Late: 5, LagP50: 0.8, LagP99: 41.2, NeverCame: 1}
	r.Known = &r.Balance.Shopify
	r.Amendments = []Amendment{
		{clock22(31, 20), "what was on the way when the day became final has arrived"},
		{clock22(33, 12), "#1007 was cancelled in Shopify"},
		{clock22(33, 12), tally(412, "EUR", "23375.20").Revalued(*r.Known)[0]},
	}
	return r
}

// gapsDay does not balance, in two currencies, one of them without decimals.
func gapsDay() Report {
	r := day22()
	r.Balance = Balance{
		Shopify: tally(210, "EUR", "9120.40", "JPY", "120000"), ERP: tally(204, "EUR", "8942.00", "JPY", "118000"),
		Pending: tally(1, "EUR", "20"), Parked: tally(1, "EUR", "20"), Missing: tally(2, "EUR", "118.40"), Wrong: 2, Overdue: 1,
	}
	r.Gaps = []Gap{
		{
			ID: 81, Kind: "missing", Shop: "acme", Order: "#2001", OrderID: 5502001, Cause: "erp_lost", CauseText: "it was in the ERP and is no longer there", State: "open",
			FoundBy: "day", Since: clock22(9, 0), FirstSeen: clock22(31, 0), DetectedAfter: 79200, Total: d("98.40"), Currency: "EUR",
		},
		{
			ID: 82, Kind: "missing", Shop: "acme", Order: "#2002", OrderID: 5502002, Cause: "webhook_refused", CauseText: "our own server turned its webhook away", State: "healing",
			FoundBy: "reconcile", Since: clock22(10, 0), FirstSeen: clock22(11, 0), DetectedAfter: 3600, Total: d("20"), Currency: "EUR",
		},
		{
			ID: 83, Kind: "mismatch", Shop: "acme", Order: "#2003", OrderID: 5502003, Cause: "erp_edited", CauseText: "the document was changed in the ERP: 2,000 JPY less", State: "open",
			FoundBy: "reconcile", FirstSeen: clock22(12, 30), Total: d("12000"), Currency: "JPY",
		},
		{
			ID: 84, Kind: "doubled", Shop: "acme", Order: "#2004", OrderID: 5502004, Cause: "unknown", CauseText: "the ERP holds two documents for this order, SO-17 and SO-18", State: "open",
			FoundBy: "deep", FirstSeen: clock22(12, 31), Total: d("40"), Currency: "EUR",
		},
		{
			ID: 85, Kind: "parked", Shop: "acme", Order: "#2005", OrderID: 5502005, Cause: "order_refused", CauseText: "the ERP knows no product MUG-7; create it there, then replay the order", State: "ignored",
			FoundBy: "reconcile", FirstSeen: clock22(13, 0), IgnoredBy: "ann", Reason: "settled in cash, see the till", Total: d("20"), Currency: "EUR",
		},
		{
			ID: 86, Kind: "subscription", Shop: "acme", Subject: "orders/updated", Cause: "unknown", CauseText: "the subscription for orders/updated was gone", State: "closed",
			FoundBy: "poll", FirstSeen: clock22(8, 0), HealedBy: "operator", ClosedAt: clock22(8, 20), HealAfter: 1200,
		},
	}
	r.Webhooks = Webhooks{Received: 601, Refused: 3, LagP50: 2, LagP99: 960, NeverCame: 2}
	return r
}

// incompleteDay was looked at in the afternoon, while the ERP could not be read.
func incompleteDay() Report {
	r := day22()
	r.MadeAt, r.CompleteThrough, r.Complete = clock22(15, 0), clock22(14, 5), false
	r.Balance = Balance{Shopify: tally(1210, "EUR", "64000.5"), ERP: tally(1208, "EUR", "63900"), Pending: tally(2, "EUR", "100.5")}
	r.Webhooks = Webhooks{Received: 2400, LagP50: 1, LagP99: 3}
	r.Notes = []string{"the ERP could not be read after 14:05: it does not answer"}
	return r
}
