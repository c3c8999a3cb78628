package ordersync

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/store"
)

// sides makes lines for the table below. Everything agrees unless it is changed.
type sides struct {
	head  *entry
	known *store.Standing
	docs  []entry
}

var placed, seenAt = epoch.Add(-2 * time.Hour), epoch.Add(-time.Hour)

func agreeing() sides {
	v := version(seenAt) + "/00000000"
	return sides{
		head: &entry{order: 1, name: "#1", total: "10.00", currency: "EUR", created: placed, updated: seenAt},
		known: &store.Standing{OrderKey: store.OrderKey{Shop: "acme", ID: 1}, Name: "#1", Version: v, Currency: "EUR", Total: "10.00",
			CreatedAt: placed, UpdatedAt: seenAt, ERP: "books", State: store.StateDelivered, Wanted: v, Held: v, Sent: v, Present: true, ERPTotal: "10.00",
			ChangedAt: seenAt, WrittenAt: seenAt},
		docs: []entry{{order: 1, name: "SO-1", version: v, total: "10.00", currency: "EUR", updated: seenAt}},
	}
}

func TestEachWayInWhichTheSidesDifferHasItsVerdict(t *testing.T) {
	changed := epoch.Add(-30 * time.Minute)
	unheard := func(s *sides) { s.head.updated = changed }
	unknown := func(s *sides) { s.known = nil }
	gone := func(s *sides) { s.docs = nil }
	twice := func(s *sides) { s.docs = append(s.docs, entry{order: 1, name: "SO-2", version: s.known.Wanted}) }
	dead := func(s *sides) { s.docs[0].cancelled = true }
	unlisted := func(s *sides) { s.head = nil }
	in := func(state string) func(*sides) {
		return func(s *sides) { s.known.State, s.known.Held, s.known.Reason = state, "", "no such article" }
	}
	cancelled := func(s *sides) { s.known.CancelledAt = seenAt }
	deleted := func(s *sides) { s.known.DeletedAt = seenAt }
	moved := func(s *sides) { s.known.ChangedAt = epoch }
	absent := func(s *sides) { s.known.Present = false }
	of := func(v string) func(*sides) { return func(s *sides) { s.docs[0].version = v } }
	newer := version(changed) + "/11111111"

	for name, c := range map[string]struct {
		change []func(*sides)
		blind  bool // the ERP could not be read whole
		class  class
		kind   string
		cause  string
		ask    bool
	}{
		"all agree":                      {nil, false, classERP, "", "", false},
		"all agree, Shopify is not told": {[]func(*sides){unlisted}, false, classERP, "", "", false},

		"nobody heard of it": {[]func(*sides){unknown, gone}, false, classMissing, store.GapMissing, CauseNeverCame, true},
		"nobody heard of it, and the ERP could not be read": {[]func(*sides){unknown, gone}, true, classMissing, store.GapMissing, CauseNeverCame, true},
		"nobody heard of it, it is too young":               {[]func(*sides){unknown, gone, func(s *sides) { s.head.updated = epoch.Add(-time.Minute) }}, false, classPending, "", "", true},
		"nobody heard of it, placed before Gapless began":   {[]func(*sides){unknown, gone, func(s *sides) { s.head.created = epoch.Add(-25 * time.Hour) }}, false, classExcluded, "", "", false},
		"only its cancelled document is known":              {[]func(*sides){unknown, dead}, false, classMissing, store.GapMissing, CauseNeverCame, true},
		"a copy from a backup does not know it":             {[]func(*sides){unknown}, false, classERP, "", "", true},
		"that, and the ERP tells no version":                {[]func(*sides){unknown, of("")}, false, classERP, "", "", true},
		"that, and the ERP is behind":                       {[]func(*sides){unknown, unheard}, false, classERP, store.GapStale, CauseNeverCame, true},
		"no ERP was to have it":                             {[]func(*sides){func(s *sides) { s.known.State, s.known.Present = "", false }, gone}, false, classMissing, store.GapMissing, CauseNeverCame, true},
		"nobody heard of a change":                          {[]func(*sides){unheard}, false, classERP, store.GapStale, CauseNeverCame, true},
		"nobody heard of a change, it never got there":      {[]func(*sides){unheard, absent, gone}, false, classMissing, store.GapMissing, CauseNeverCame, true},
		"nobody heard of a change, the ERP is not told":     {[]func(*sides){unheard, gone}, true, classERP, store.GapStale, CauseNeverCame, true},
		"we know more than Shopify's list":                  {[]func(*sides){func(s *sides) { s.head.updated = placed }}, false, classERP, "", "", false},

		"due":                        {[]func(*sides){in(store.StateDue)}, false, classPending, "", "", false},
		"being sent":                 {[]func(*sides){in(store.StateSending)}, false, classPending, "", "", false},
		"unknown":                    {[]func(*sides){in(store.StateUnknown)}, false, classPending, "", "", false},
		"parked":                     {[]func(*sides){in(store.StateParked), gone}, false, classParked, store.GapParked, CauseOrderRefused, false},
		"excluded":                   {[]func(*sides){in(store.StateExcluded), gone}, false, classExcluded, "", "", false},
		"excluded, but there":        {[]func(*sides){in(store.StateExcluded)}, false, classERP, store.GapStale, CauseNotUpdated, false},
		"excluded just now":          {[]func(*sides){in(store.StateExcluded), moved}, false, classExcluded, "", "", false},
		"excluded, cancelled there":  {[]func(*sides){in(store.StateExcluded), dead}, false, classExcluded, "", "", false},
		"cancelled":                  {[]func(*sides){cancelled, dead}, false, classCancelled, "", "", false},
		"cancelled, never there":     {[]func(*sides){cancelled, gone}, false, classCancelled, "", "", false},
		"cancelled, but there":       {[]func(*sides){cancelled}, false, classERP, store.GapStale, CauseNotUpdated, false},
		"cancelled just now":         {[]func(*sides){cancelled, moved}, false, classCancelled, "", "", false},
		"delivered just now":         {[]func(*sides){gone, moved}, false, classERP, "", "", false},
		"changed there just now":     {[]func(*sides){of("else"), moved}, false, classERP, "", "", false},
		"the ERP could not be read":  {[]func(*sides){gone}, true, classERP, "", "", false},
		"deleted in Shopify":         {[]func(*sides){deleted, unlisted}, false, classNone, store.GapOrphan, CauseDeleted, false},
		"deleted, and gone there":    {[]func(*sides){deleted, unlisted, gone}, false, classNone, "", "", false},
		"deleted, cancelled there":   {[]func(*sides){deleted, unlisted, dead}, false, classNone, "", "", false},
		"deleted, and still listed":  {[]func(*sides){deleted}, false, classNone, store.GapOrphan, CauseDeleted, false},
		"a stranger":                 {[]func(*sides){unknown, unlisted}, false, classNone, store.GapOrphan, CauseNotOurs, false},
		"a stranger that is dead":    {[]func(*sides){unknown, unlisted, dead}, false, classNone, "", "", false},
		"gone":                       {[]func(*sides){gone}, false, classMissing, store.GapMissing, CauseERPLost, false},
		"cancelled in the ERP":       {[]func(*sides){dead}, false, classMissing, store.GapMissing, CauseERPCancelled, false},
		"twice":                      {[]func(*sides){twice}, false, classERP, store.GapDoubled, CauseERPDoubled, false},
		"twice, one of them dead":    {[]func(*sides){twice, dead}, false, classERP, "", "", false},
		"of an older version":        {[]func(*sides){of("2026-11-22T00:00:00Z/00000000")}, false, classERP, store.GapStale, CauseNotUpdated, false},
		"of a newer version":         {[]func(*sides){of(newer)}, false, classERP, store.GapStale, CauseNotUpdated, true},
		"of no version":              {[]func(*sides){of("")}, false, classERP, "", "", false},
		"of the version last sent":   {[]func(*sides){func(s *sides) { s.known.Wanted, s.known.Held = newer, newer }}, false, classERP, "", "", false},
		"of another currency":        {[]func(*sides){func(s *sides) { s.docs[0].currency = "USD" }}, false, classERP, store.GapMismatch, CauseERPEdited, false},
		"of no currency":             {[]func(*sides){func(s *sides) { s.docs[0].currency = "" }}, false, classERP, "", "", false},
		"of another total":           {[]func(*sides){func(s *sides) { s.docs[0].total = "10.03" }}, false, classERP, store.GapMismatch, CauseERPEdited, false},
		"of a total within reason":   {[]func(*sides){func(s *sides) { s.docs[0].total = "9.98" }}, false, classERP, "", "", false},
		"of a total written apart":   {[]func(*sides){func(s *sides) { s.docs[0].total = "10.0" }}, false, classERP, "", "", false},
		"of no total":                {[]func(*sides){func(s *sides) { s.docs[0].total = "" }}, false, classERP, "", "", false},
		"of a total that is no sum":  {[]func(*sides){func(s *sides) { s.docs[0].total = "ten" }}, false, classERP, store.GapMismatch, CauseERPEdited, false},
		"of two wrongs, one is told": {[]func(*sides){of("2026-11-22T00:00:00Z/0"), func(s *sides) { s.docs[0].total = "1" }}, false, classERP, store.GapStale, CauseNotUpdated, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := agreeing()
			for _, change := range c.change {
				change(&s)
			}
			judge := comparison{began: epoch.Add(-24 * time.Hour), until: epoch.Add(-2 * time.Minute), listed: epoch.Add(-24 * time.Hour), asked: epoch.Add(-time.Second),
				tolerance: decimal.RequireFromString("0.02"), shopify: true, erp: !c.blind}
			v := judge.judge(line{id: 1, head: s.head, known: s.known, docs: s.docs})
			require.Equal(t, []any{c.class, c.kind, c.cause, c.ask}, []any{v.class, v.kind, v.cause, v.ask}, v.detail)
			require.Equal(t, v.kind == "", v.detail == "", "each fault tells its evidence")
			if v.kind != "" {
				require.NotEmpty(t, v.about)
			}
		})
	}
}

func TestAStrangerIsNoOrphanWhereShopifyCouldNotBeRead(t *testing.T) {
	s := agreeing()
	require.Empty(t, comparison{erp: true}.judge(line{id: 1, docs: s.docs}).kind)
}

// What is on the way is so for too long from a moment on; today's orders, and what
// was tried.
func TestWhatIsOnTheWayForTooLongIsToldFromWhatIsNot(t *testing.T) {
	allowed := epoch.Add(-15 * time.Minute)
	long, briefly := allowed.Add(-time.Second), allowed
	for name, c := range map[string]struct {
		state  string
		since  time.Time
		behind bool
		late   bool
	}{
		"due":                         {store.StateDue, long, false, true},
		"being sent":                  {store.StateSending, long, false, true},
		"unknown":                     {store.StateUnknown, long, false, true},
		"due for a while":             {store.StateDue, briefly, false, false},
		"of the past, not tried yet":  {store.StateDue, long, true, false},
		"delivered":                   {store.StateDelivered, long, false, false},
		"parked":                      {store.StateParked, long, false, false},
		"excluded":                    {store.StateExcluded, long, false, false},
		"Shopify knows it newer here": {store.StateDue, long, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := agreeing()
			s.known.State, s.known.Since, s.known.Behind = c.state, c.since, c.behind
			if name == "Shopify knows it newer here" {
				s.head.updated = epoch
			}
			judge := comparison{until: epoch.Add(-2 * time.Minute), allowed: allowed, shopify: true, erp: true}
			l := line{id: 1, head: s.head, known: s.known, docs: s.docs}
			require.Equal(t, c.late, judge.judge(l).overdue)
			judge.allowed = time.Time{}
			require.False(t, judge.judge(l).overdue, "nobody asks")
		})
	}
}
