package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheFirstLine(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Report)
		want   string
	}{
		"balanced": {
			func(r *Report) { r.Balance = Balance{Shopify: tally(412, "EUR", "10"), ERP: tally(412, "EUR", "10")} },
			"acme, 22 November 2026: balanced. 412 orders in Shopify, all accounted for.",
		},
		"one order, and it waits": {
			func(r *Report) { r.Balance = Balance{Shopify: tally(1, "EUR", "10"), Parked: tally(1, "EUR", "10")} },
			"acme, 22 November 2026: balanced. 1 order in Shopify, all accounted for (1 waiting for a person).",
		},
		"no orders": {
			func(*Report) {},
			"acme, 22 November 2026: balanced. No orders in Shopify.",
		},
		"orders missing": {
			func(r *Report) {
				r.Balance = Balance{Shopify: tally(2, "EUR", "118.40"), Missing: tally(2, "EUR", "118.4")}
			},
			"acme, 22 November 2026, NOT BALANCED: 2 orders missing, 118.40 EUR.",
		},
		"more in the ERP than Shopify has": {
			func(r *Report) { r.Balance = Balance{ERP: tally(1, "KWD", "1200.5")} },
			"acme, 22 November 2026, NOT BALANCED: Shopify and the rest differ by -1 order, -1,200.500 KWD.",
		},
		"only the money differs": {
			func(r *Report) { r.Balance = Balance{Shopify: tally(1, "EUR", "10"), ERP: tally(1, "USD", "10")} },
			"acme, 22 November 2026, NOT BALANCED: Shopify and the rest differ by 10.00 EUR, -10.00 USD.",
		},
		"a document wrong": {
			func(r *Report) { r.Balance.Wrong = 1 },
			"acme, 22 November 2026, NOT BALANCED: 1 document wrong in the ERP.",
		},
		"an order on the way for too long": {
			func(r *Report) { r.Balance = Balance{Shopify: tally(1), Pending: tally(1), Overdue: 1} },
			"acme, 22 November 2026, NOT BALANCED: 1 order on the way for too long.",
		},
		"documents wrong and orders on the way for too long": {
			func(r *Report) { r.Balance = Balance{Shopify: tally(412), Pending: tally(412), Wrong: 2, Overdue: 412} },
			"acme, 22 November 2026, NOT BALANCED: 2 documents wrong in the ERP; 412 orders on the way for too long.",
		},
		"checked in part": {
			func(r *Report) { r.Complete, r.CompleteThrough = false, clock22(14, 5) },
			"acme, 22 November 2026: checked through 14:05 only. No orders in Shopify so far.",
		},
		"wrong and checked in part": {
			func(r *Report) { r.Complete, r.CompleteThrough, r.Balance.Wrong = false, clock22(14, 5), 2 },
			"acme, 22 November 2026, NOT BALANCED: 2 documents wrong in the ERP; checked through 14:05 only.",
		},
		"nothing checked": {
			func(r *Report) { r.Complete, r.CompleteThrough = false, time.Time{} },
			"acme, 22 November 2026: nothing of it is checked yet. No orders in Shopify so far.",
		},
		"checked to the day before": {
			func(r *Report) { r.Complete, r.CompleteThrough = false, clock22(0, 0) },
			"acme, 22 November 2026: nothing of it is checked yet. No orders in Shopify so far.",
		},
		"not to be checked": {
			func(r *Report) {
				r.Complete, r.Unchecked = false, "the ERP could not be read whole: it does not answer."
			},
			"acme, 22 November 2026, COULD NOT BE CHECKED: the ERP could not be read whole: it does not answer.",
		},
		"not to be checked, and wrong as far as it was": {
			func(r *Report) { r.Complete, r.Unchecked, r.Balance.Wrong = false, "Shopify was down", 1 },
			"acme, 22 November 2026, COULD NOT BE CHECKED: Shopify was down; what was seen is not balanced: 1 document wrong in the ERP.",
		},
		"checked to the end, but not all of it": {
			func(r *Report) { r.Complete = false },
			"acme, 22 November 2026: checked in part only. No orders in Shopify so far.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := day22()
			c.change(&r)
			require.Equal(t, c.want, r.Headline())
		})
	}
}

func TestTimesAreTheShopsOwn(t *testing.T) {
	r := day22()
	for at, want := range map[time.Time]string{
		clock22(0, 0):                  "00:00",
		clock22(23, 59):                "23:59",
		clock22(24, 0):                 "24:00",
		clock22(-1, 0):                 "21 November 2026, 23:00",
		clock22(25, 0).In(time.Local):  "23 November 2026, 01:00",
		clock22(10, 30).In(time.Local): "10:30",
	} {
		require.Equal(t, want, r.clock().at(at))
	}
}

func TestAnHourThatComesTwiceIsTold(t *testing.T) {
	first := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // 02:30, an hour before the clock goes back to 02:00
	r := Report{Timezone: "Europe/Madrid", From: first.Add(-150 * time.Minute), To: first.Add(22*time.Hour + 30*time.Minute)}
	require.Equal(t, "02:30 CEST", r.clock().at(first))
	require.Equal(t, "02:30 CET", r.clock().at(first.Add(time.Hour)))
	require.Equal(t, "24:00", r.clock().at(r.To))
}

func TestAnUnknownZoneOrDayIsShownAsItIs(t *testing.T) {
	for _, zone := range []string{"Mars/Olympus", "", "Local"} {
		r := day22()
		r.Timezone, r.Day = zone, "someday\x1b[2J"
		require.Equal(t, "UTC", r.clock().zone.String())
		require.Equal(t, "acme, someday\uFFFD[2J: balanced. No orders in Shopify.", r.Headline())
	}
}

func TestAVerdictIsTheHeadlineWithoutShopAndDay(t *testing.T) {
	day := Report{Shop: "acme", Day: "2026-11-22", Timezone: "UTC", Complete: true}
	require.Equal(t, "Balanced. No orders in Shopify.", day.Verdict())
	day.Balance.Wrong = 2
	require.Equal(t, "Not balanced: 2 documents wrong in the ERP.", day.Verdict())
	require.Equal(t, "acme, 22 November 2026, NOT BALANCED: 2 documents wrong in the ERP.", day.Headline())
	day.Unchecked = "the ERP is down"
	require.False(t, day.Balanced())
	require.Equal(t, "Could not be checked: the ERP is down; what was seen is not balanced: 2 documents wrong in the ERP.", day.Verdict())
	day.Unchecked, day.Complete = "", false
	require.Equal(t, "Not balanced: 2 documents wrong in the ERP; nothing of it is checked yet.", day.Verdict())
}
