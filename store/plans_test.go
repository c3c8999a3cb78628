package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listener is a connector that notes every query of its connections.
type listener struct {
	driver driver.Driver
	dsn    string
	mu     sync.Mutex
	heard  map[string]bool
}

func (l *listener) Driver() driver.Driver { return l.driver }

func (l *listener) Connect(context.Context) (driver.Conn, error) {
	conn, err := l.driver.Open(l.dsn)
	return &heardConn{conn, l}, err
}

type heardConn struct {
	driver.Conn
	l *listener
}

func (c *heardConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.l.mu.Lock()
	c.l.heard[query] = true
	c.l.mu.Unlock()
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// allQueries walks through everything that a store does and returns the queries
// it made: those of its readers and those of its writer.
func allQueries(t *testing.T, s *Store) map[string]bool {
	t.Helper()
	l := &listener{driver: s.readers.Driver(), dsn: "file:" + s.path + "?mode=ro&_pragma=busy_timeout(10000)", heard: map[string]bool{}}
	require.NoError(t, s.readers.Close())
	s.readers = &readers{DB: sql.OpenDB(l), prepared: map[string]*sql.Stmt{}}
	writeEverything(t, s)
	readEverything(t, s)
	s.writer.between.Lock() // the writer rests
	defer s.writer.between.Unlock()
	for query := range s.writer.tx.raw {
		l.heard[query] = true
	}
	for query := range s.writer.tx.queries {
		l.heard[query] = true
	}
	return l.heard
}

func writeEverything(t *testing.T, s *Store) {
	t.Helper()
	foldsOften(s)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		appended(t, s, id)
	}
	for i, name := range []string{"ann", "bob"} {
		w := order(1, i+1)
		w.Customer = []string{name}
		intake(t, s, w)
	}
	c := claimed(t, s)
	a := begun(t, s, c)
	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome, r.Refetch = a.ID, &Outcome{Result: "created", Exchanges: json.RawMessage(`[]`)}, &Refetch{OrderKey: c.OrderKey}
	r.Decision = &Decision{Step: "deliver"}
	require.NoError(t, s.Settle(t.Context(), r))
	require.NoError(t, s.PostponeRefetch(t.Context(), *r.Refetch, noon, "busy"))
	answers["an answer"](t, s, *r.Refetch)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{
		At: noon, Through: 1, Forget: []int64{1}, Deleted: []Gap{{Shop: c.Order.Shop, OrderID: c.Order.ID, Kind: GapOrphan}}, Uninstalled: []string{"acme"},
	}))
	offered(t, s, offer(1, "1"))
	_, err := acked(t, s, Ack{Ref: "acme-1", Label: "1"})
	require.NoError(t, err)
	offered(t, s, offer(1, "2"))
	took(t, s, "acme-1", "2")
	offered(t, s, offer(1, "3"))
	require.NoError(t, s.writer.apply(t.Context(), 0, func(x *tx) error { return s.takeBackOffers(x, c.DeliveryKey) }))
	redact(t, s, Redaction{CustomerID: 7, OrderIDs: []int64{1}})
	redact(t, s, Redaction{WholeShop: true})
	_, err = s.Replay(t.Context(), []DeliveryKey{c.DeliveryKey}, "ann")
	require.NoError(t, err)
	_, err = s.Recover(t.Context())
	require.NoError(t, err)
	_, err = s.TakeBack(t.Context(), noon)
	require.NoError(t, err)
	require.NoError(t, s.ClockSetBack(t.Context(), []string{"books"}, time.Hour, time.Hour))
	_, err = s.ForgetBodies(t.Context(), noon)
	require.NoError(t, err)
	require.NoError(t, s.Polled(t.Context(), "acme", noon, noon, ""))
	require.NoError(t, s.Subscribed(t.Context(), "acme", []SubscriptionChange{{}}, ""))
	_, err = s.FoundGaps(t.Context(), "ann", Fault{Gap: Gap{Shop: "acme", OrderID: 1, Kind: GapMissing, FoundBy: "ann"}})
	require.NoError(t, err)
	_, err = s.FoundGaps(t.Context(), "ann", Fault{Gap: missing(2), Replay: true}, Fault{Gap: missing(3), Refetch: &Refetch{OrderKey: OrderKey{"acme", 3}}})
	require.NoError(t, err)
	_, err = s.HealGaps(t.Context(), "ann", Gap{ID: 1, Shop: "acme", OrderID: 1})
	require.NoError(t, err)
	require.NoError(t, s.UnhealedGap(t.Context(), 1, "no"))
	ignore(t, s, 1)
	require.NoError(t, s.CheckedGap(t.Context(), 2, s.now(), "still"))
	require.NoError(t, s.CauseOfGap(t.Context(), 2, "webhook_late", "late"))
	require.NoError(t, s.Told(t.Context(), []Letter{{Channel: "mail"}}, []Gap{{ID: 2}}))
	require.NoError(t, s.TellBlind(t.Context(), "acme", RunDeep, noon, []Letter{{Channel: "mail"}}))
	require.NoError(t, s.LetterSent(t.Context(), 1))
	require.NoError(t, s.LetterFailed(t.Context(), 1, []string{"ann@example.com"}, noon, "no"))
	require.NoError(t, s.GiveUpLetter(t.Context(), 1))
	closeGap(t, s, 2, "poll")
	noted(t, s, missing(2))
	run := Run{Shop: "acme", Kind: RunDeep}
	require.NoError(t, s.BeginRun(t.Context(), &run))
	require.NoError(t, s.SaveRun(t.Context(), &run))
	s.leases.renew()
	require.NoError(t, s.StopRuns(t.Context(), true))
	failed := Run{Shop: "acme", Kind: RunReconcile, By: "ann"}
	require.NoError(t, s.BeginRun(t.Context(), &failed))
	failed.State = RunFailed
	require.NoError(t, s.SaveRun(t.Context(), &failed))
	report(t, s, "2026-11-21", `{}`)
	_, err = s.ForgetReports(t.Context(), time.Unix(0, 0))
	require.NoError(t, err)
	report(t, s, "2026-11-22", `{}`)
	require.NoError(t, s.LearnShop(t.Context(), Shop{Name: "acme", Timezone: "UTC"}))
	require.NoError(t, s.Complete(t.Context(), "acme", noon, noon.Add(time.Hour)))
	require.NoError(t, s.NumbersSeen(t.Context(), "acme", 1))
	require.NoError(t, s.Began(t.Context(), "acme", noon, noon))
	require.NoError(t, s.PollAgainFrom(t.Context(), "acme", noon))
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Heard: map[Heard]int64{{"acme", noon}: 1}}))
	for range 2 { // the second time it is only seen again
		noted(t, s, missing(4))
	}
	require.NoError(t, s.Ready(t.Context()))
	writePeople(t, s)
	require.NoError(t, s.ForgetCounts(t.Context(), noon))
	s.Refuse(Refusal{})
	s.tally.flush()
}

func writePeople(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	link, err := s.SetupLink(ctx)
	require.NoError(t, err)
	u, err := s.UseLink(ctx, link, "ann", "hash")
	require.NoError(t, err)
	session := loggedIn(t, s, u)
	s.SeenSession(Session{ID: session.ID})
	s.tally.flush()
	_, _, err = s.LogInAs(ctx, Identity{Issuer: "idp", Subject: "1", Name: "kim"}, "viewer", "127.0.0.1", "")
	require.NoError(t, err)
	errs = append(errs, s.SetTOTP(ctx, session, "secret", 1, []string{"code"}), s.Rehash(ctx, u, "hash"), s.ConfirmSession(ctx, session))
	note(s.TakeTOTP(ctx, u, 2))
	note(s.TakeRecoveryCode(ctx, u, "code"))
	note(s.AddUser(ctx, "bob", "viewer", "ann"))
	link, err = s.ResetLink(ctx, "bob", "ann")
	require.NoError(t, err)
	note(s.UseLink(ctx, link, "", "hash"))
	note(s.AddToken(ctx, "ops", "viewer", "ann"))
	errs = append(errs, s.SetRole(ctx, "bob", "operator", "ann"), s.SetDisabled(ctx, "bob", true, "ann"), s.SetDisabled(ctx, "bob", false, "ann"),
		s.RemoveUser(ctx, "bob", "ann"), s.SetPassword(ctx, session, "hash"), s.DropTOTP(ctx, session), s.LogOut(ctx, session),
		s.RemoveToken(ctx, "ops", "ann"), s.Audit(ctx, AuditEntry{Who: "ann"}))
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func readEverything(t *testing.T, s *Store) {
	t.Helper()
	ctx, key := t.Context(), OrderKey{"acme", 1}
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	before := Cursor{noon, 1, "acme"}
	for _, f := range []OrderFilter{
		{}, {Shop: "acme"}, {State: StateDue}, {Name: "#1"}, {ID: 1},
		{Shop: "acme", State: StateDue}, {Shop: "acme", Name: "#1"}, {Shop: "acme", ID: 1}, {Name: "#1", State: StateDue}, {ID: 1, State: StateDue}, {ERPRef: "SO-1"},
	} {
		note(s.Orders(ctx, f))
		f.Before = before
		note(s.Orders(ctx, f))
	}
	for _, customer := range []string{"ann", "Ann Lee", "ann lee smith", "ann@example.com"} {
		note(s.OrdersOf(ctx, customer, "", 10))
		note(s.OrdersOf(ctx, customer, "acme", 10))
		note(s.OrdersOf(ctx, customer, "acme", 10, StateDue, StateUnknown))
	}
	for _, f := range []EventFilter{{}, {Shop: "acme"}, {Topic: "orders/create"}, {Shop: "acme", Topic: "orders/create"}, {Shop: "acme", OrderID: 1}} {
		note(s.Events(ctx, f))
		f.Before = 5
		note(s.Events(ctx, f))
	}
	for _, f := range []TryFilter{{}, {Full: true}, {Order: key}, {Order: key, Full: true}, {Shop: "acme", ERP: "books", Action: ActionLookup}, {Result: "created"}, {Result: "rejected"}, {Shop: "acme", Result: "unknown"}, {Order: key, Shop: "acme", Result: "retry"}} {
		note(s.Tries(ctx, f))
		f.Before = 5
		note(s.Tries(ctx, f))
	}
	for _, f := range []GapFilter{{}, {Shop: "acme"}, {Kind: GapMissing}, {State: Live}, {State: GapClosed}, {OrderID: 1, Shop: "acme"}, {Shop: "acme", Seen: noon}, {Shop: "acme", From: noon}, {Run: 1}} {
		note(s.Gaps(ctx, f))
		f.Before = 5
		note(s.Gaps(ctx, f))
	}
	for _, f := range []RunFilter{{}, {Shop: "acme"}, {Kind: RunPoll}, {State: RunRunning}, {Shop: "acme", Kind: RunPoll}} {
		note(s.Runs(ctx, f))
	}
	for _, f := range []GapFilter{
		{State: GapOpen}, {Kind: GapMissing, State: Live}, {Shop: "acme", State: Live}, {Shop: "acme", State: GapClosed}, {Shop: "acme", Kind: GapMissing, State: Live},
		{From: noon}, {To: noon}, {Shop: "acme", From: noon, To: noon}, {Shop: "acme", Kind: GapMissing},
	} {
		note(s.Gaps(ctx, f))
		f.Before = 5
		note(s.Gaps(ctx, f))
	}
	note(s.Gap(ctx, 1))
	note(s.Ignored(ctx, Fault{Gap: missing(1)}))
	note(s.IgnoredStuck(ctx, "acme", "books"))
	note(s.GapSteps(ctx, 1))
	note(s.SettledGaps(ctx, "books", noon, 10))
	note(s.Stuck(ctx, "acme", "books", noon, 10))
	note(s.Untold(ctx, noon, noon, 10))
	note(s.DueLetters(ctx, "mail", 10))
	note(s.WaitingChannels(ctx))
	note(s.ToldBlind(ctx, "acme", RunDeep))
	_, _, err := s.FailedComparisons(ctx, "acme", RunReconcile, "ann")
	note(nil, err)
	_, _, err = s.UnsentLetters(ctx)
	note(nil, err)
	for _, f := range []RunFilter{{Kind: RunDeep, State: RunRunning}, {Shop: "acme", Kind: RunDeep, State: RunDone, Before: 9}} {
		note(s.Runs(ctx, f))
	}
	note(s.Run(ctx, 1))
	found := func(_ any, err error) {
		if !errors.Is(err, ErrNotFound) {
			note(nil, err)
		}
	}
	found(s.LastRun(ctx, "acme", RunDeep))
	found(s.FirstRunning(ctx, "acme", RunDeep))
	found(s.LastOver(ctx, "acme", RunDeep, noon))
	found(s.LastCompared(ctx, "acme"))
	found(s.FindUser(ctx, "ann"))
	found(s.FindToken(ctx, "none"))
	found(s.FindSession(ctx, "none"))
	note(s.Tokens(ctx))
	note(s.Refusals(ctx, 10))
	note(s.SubscriptionChanges(ctx, 10))
	note(s.notedTime(ctx, "backup"))
	note(s.Report(ctx, "acme", "2026-11-22"))
	note(s.Reports(ctx, "acme", "2026-11-01", "2026-11-30"))
	for _, axis := range []Axis{ByUpdated, ByCreated} {
		for _, window := range []time.Duration{time.Hour, 60 * 24 * time.Hour} {
			for _, err := range s.Standings(ctx, "acme", "books", axis, noon, noon.Add(window)) {
				note(nil, err)
			}
		}
	}
	_, _, err = s.Unlisted(ctx, "acme", "books", noon, noon.Add(time.Hour), noon.Add(-time.Hour), noon)
	note(nil, err)
	note(s.StandingsOf(ctx, "books", []OrderKey{key}))
	note(s.Offers(ctx, "books", 0, 10))
	note(s.NewestOffer(ctx, "books", "acme-1"))
	note(s.TakenOffer(ctx, "books", "acme-1"))
	note(nil, s.TakenOffers(ctx, "books", noon, func(Offer) error { return nil }))
	note(s.Shop(ctx, "acme"))
	note(s.Habit(ctx, "acme", []time.Time{noon}))
	note(s.RefusedBetween(ctx, "acme.myshopify.com", noon, noon))
	note(s.HeardBetween(ctx, noon, noon))
	note(s.Counted(ctx, CountRefused, noon))
	note(s.WebhookHealth(ctx, "acme", noon, noon, time.Minute))
	note(s.Ahead(ctx, "acme"))
	note(s.DecidedThrough(ctx))
	note(s.Newest(ctx))
	note(s.OrdersSince(ctx, 0, 10))
	note(s.CallsSince(ctx, 0, 10))
	note(s.Call(ctx, 1))
	note(s.Try(ctx, 1))
	note(s.GapsSince(ctx, 0, 10))
	note(s.RunsSince(ctx, 0, 10))
	note(s.Stats(ctx, noon))
	note(s.LiveGaps(ctx))
	note(s.LiveGapKinds(ctx))
	note(s.ShopGaps(ctx, "acme"))
	note(s.HealedSince(ctx, "acme", noon))
	note(s.MissingOrders(ctx, "acme"))
	note(nil, s.DayOrders(ctx, "acme", noon, noon.Add(time.Hour), func(DayOrder) {}))
	note(s.Hour(ctx, noon))
	note(s.LastHour(ctx, noon))
	note(s.ReportDays(ctx, "acme", "2026-11-01", "2026-11-30"))
	note(s.PartialReports(ctx, "acme", "2026-11-01"))
	note(nil, s.Placed(ctx, "acme", noon, noon.Add(time.Hour), noon, func(Placed) {}))
	note(s.DayGaps(ctx, "acme", noon, noon.Add(time.Hour)))
	note(s.DaySteps(ctx, "acme", noon, noon.Add(time.Hour), noon))
	for _, f := range []GapFilter{{State: Live}, {State: GapClosed}, {Kind: GapMissing, State: Live}, {Shop: "acme", OrderID: 1}} {
		note(s.Gaps(ctx, f))
	}
	note(s.Runs(ctx, RunFilter{Kind: RunReconcile}))
	note(s.FirstOver(ctx, "acme", RunDeep, time.Time{}, time.Time{}))
	note(s.PendingEvents(ctx, 10))
	note(s.Event(ctx, 2))
	note(s.EventHead(ctx, 2))
	note(s.Order(ctx, key))
	note(s.Known(ctx, []OrderKey{key}))
	note(s.Decisions(ctx, key, 10))
	note(s.Delivery(ctx, key))
	note(s.NextDue(ctx, "books"))
	note(s.DueRefetches(ctx, "acme", noon.Add(time.Hour), 10))
	note(s.Redacted(ctx, []Person{{"acme", 7}}))
	for _, f := range []AuditFilter{{}, {Who: "ann"}} {
		note(s.AuditLog(ctx, f))
		f.Before = 5
		note(s.AuditLog(ctx, f))
	}
	note(s.Users(ctx))
	note(s.RecoveryCodes(ctx, User{ID: 1}))
	note(s.KnowsPlace(ctx, "ann", "127.0.0.1"))
	_, err = s.FindLink(ctx, "none")
	require.ErrorIs(t, err, ErrNotFound)
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// large are the tables that grow with every order, by the names that queries
// give them.
var large = map[string]bool{
	"events": true, "e": true, "bodies": true, "b": true, "orders": true, "o": true, "deliveries": true, "d": true,
	"attempts": true, "a": true, "outcomes": true, "r": true, "transcripts": true, "x": true, "decisions": true, "n": true, "c": true, "gap_steps": true, "p": true, "seen": true,
	"gaps": true, "g": true, "contents": true, "runs": true, "reports": true, "habits": true, "deleted_orders": true, "letters": true,
	"offers": true, "v": true, "l": true, "offer_bodies": true, "customers": true, "m": true, "audit": true, "sessions": true, "s": true,
	"refusals": true, "subscription_changes": true, "tallies": true,
}

// mayScan are the ends of the queries that may walk a large table, and why.
var mayScan = map[string]string{
	"SELECT count(*) FROM orders":     "SQLite adds up how many rows each page has, without reading them",
	"SELECT count(*) FROM deliveries": "SQLite adds up how many rows each page has, without reading them",

	"FROM events e ORDER BY e.id DESC LIMIT $1":                                                              "the first page of all events: from the newest, until the limit",
	"FROM events e WHERE e.shop = $1 ORDER BY e.id DESC LIMIT $2":                                            "that of a shop",
	"AND d.order_id = o.id ORDER BY o.first_seen_at DESC, o.id DESC, o.shop DESC LIMIT $1":                   "the first page of all orders: from the newest, until the limit",
	"AND d.order_id = o.id WHERE o.shop = $1 ORDER BY o.first_seen_at DESC, o.id DESC, o.shop DESC LIMIT $2": "that of a shop",
	"ON r.attempt_id = a.id ORDER BY a.id DESC LIMIT $1":                                                     "the first page of all attempts: from the newest, until the limit",
	"LEFT JOIN transcripts x ON x.attempt_id = a.id ORDER BY a.id DESC LIMIT $1":                             "the same with what was said",
	"WHERE +a.shop = $1 AND +a.erp = $2 AND +a.action = $3 ORDER BY a.id DESC LIMIT $4":                      "those of a shop and an ERP: from the newest, until the limit",
	"WHERE +r.result = $1 ORDER BY a.id DESC LIMIT $2":                                                       "those that ended as most do: from the newest, until the limit",
	"IN (SELECT g.id FROM gaps g ORDER BY g.id DESC LIMIT $1) ORDER BY g.id DESC":                            "the first page of all gaps: from the newest, until the limit",
	"FROM gaps g WHERE g.shop = $1 ORDER BY g.id DESC LIMIT $2) ORDER BY g.id DESC":                          "that of a shop",
	"FROM gaps g WHERE g.shop = $1 AND +g.state = $2 ORDER BY g.id DESC LIMIT $3) ORDER BY g.id DESC":        "the closed ones of a shop, which are most",
	"FROM gaps g WHERE g.first_seen < $1 ORDER BY g.id DESC LIMIT $2) ORDER BY g.id DESC":                    "the first page of those up to a time",
	"FROM runs ORDER BY id DESC LIMIT $1":                                                                    "the first page of all runs: from the newest, until the limit",
	"FROM runs WHERE shop = $1 ORDER BY id DESC LIMIT $2":                                                    "that of a shop",

	"FROM refusals ORDER BY id DESC LIMIT $1":             "the newest requests that were turned away, until the limit",
	"FROM subscription_changes ORDER BY id DESC LIMIT $1": "the newest changes, until the limit",

	"FROM letters WHERE sent_at = 0 AND tries > 0":   "the index holds only letters that are not sent",
	"WHERE state = 'running' AND kind <> 'backfill'": "the index holds only runs under way",
	"SELECT id FROM orders WHERE shop = $1":          "a whole shop is redacted",

	"FROM audit ORDER BY id DESC LIMIT $1": "the first page of the audit log: from the newest, until the limit",
}

// scanned are steps that read a whole table or, where there is one shop, as good
// as that.
var scanned = regexp.MustCompile(`^(?:SCAN (\w+)|SEARCH (\w+) USING .*\(shop=\?\)$)`)

func TestNoQueryReadsAWholeLargeTable(t *testing.T) {
	s := open(t)
	plans := second(t, s.path)
	queries := allQueries(t, s)
	require.Greater(t, len(queries), 70, "the walk reaches the queries")
	for query := range queries {
		for _, step := range plan(t, plans, query) {
			table := scanned.FindStringSubmatch(step)
			if table != nil && large[table[1]+table[2]] && !exempt(query) {
				t.Errorf("%s\n  in\n%s", step, query)
			}
		}
	}
}

func exempt(query string) bool {
	for end := range mayScan {
		if strings.HasSuffix(strings.Join(strings.Fields(query), " "), end) {
			return true
		}
	}
	return false
}

func TestListsComeInOrderWithoutSortingWhatTheyDoNotShow(t *testing.T) {
	s := open(t)
	plans := second(t, s.path)
	for name, query := range map[string]string{
		"orders":            first(OrderFilter{}.query()),
		"orders of a shop":  first(OrderFilter{Shop: "acme"}.query()),
		"orders of a state": first(OrderFilter{State: StateDelivered}.query()),
		"events":            first(EventFilter{}.query()),
		"events of a shop":  first(EventFilter{Shop: "acme"}.query()),
		"attempts":          first(TryFilter{}.query()),
		"a shop's attempts": first(TryFilter{Shop: "acme"}.query()),
		"refused attempts":  first(TryFilter{Result: "rejected"}.query()),
		"audit":             first(AuditFilter{}.query()),
		"a person's":        first(AuditFilter{Who: "ann"}.query()),
		"an order's":        first(TryFilter{Order: OrderKey{"acme", 1}}.query()),
		"gaps":              first(GapFilter{}.query()),
		"gaps of a shop":    first(GapFilter{Shop: "acme"}.query()),
		"gaps of a kind":    first(GapFilter{Kind: GapMissing, Shop: "acme"}.query()),
		"gaps of a run":     first(GapFilter{Run: 1}.query()),
		"closed gaps":       first(GapFilter{State: GapClosed}.query()),
		"a customer's":      first(customerQuery([]int64{1, 2}, "", 10)),
		"in a shop":         first(customerQuery([]int64{1}, "acme", 10)),
		"a shop's closed":   first(GapFilter{Shop: "acme", State: GapClosed}.query()),
	} {
		require.NotContains(t, strings.Join(plan(t, plans, query), "\n"), "ORDER BY", name)
	}
}

func TestAListOfOneShopWalksNothingOfAnother(t *testing.T) {
	s := open(t)
	plans := second(t, s.path)
	for query, index := range map[string]string{
		first(OrderFilter{Shop: "acme"}.query()):                        "orders_of_shop (shop=?)",
		first(OrderFilter{Shop: "acme", State: StateDelivered}.query()): "deliveries_of_shop (shop=? AND state=?)",
		first(OrderFilter{Shop: "acme", State: StateExcluded}.query()):  "deliveries_of_shop (shop=? AND state=?)",
		first(EventFilter{Shop: "acme"}.query()):                        "events_shop (shop=?)",
		first(EventFilter{Shop: "acme", Topic: "orders/paid"}.query()):  "events_topic (shop=? AND topic=?)",
		first(EventFilter{Topic: "orders/paid"}.query()):                "events_topic (shop=? AND topic=?)", // shop by shop
		first(GapFilter{Shop: "acme"}.query()):                          "gaps_shop (shop=?)",
	} {
		steps := strings.Join(plan(t, plans, query), "\n")
		require.Contains(t, steps, index, query)
		require.NotRegexp(t, `SCAN (o|d|e|x|g)\b`, steps, query)
	}
}

func first(query string, _ []any) string { return query }

var (
	parameter = regexp.MustCompile(`\$\d+|\?`)
	planned   = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b`)
)

// plan is how SQLite would run a query, step by step; nothing for statements
// that have no plan.
func plan(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	if !planned.MatchString(query) {
		return nil
	}
	rows, err := db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+parameter.ReplaceAllString(query, "'x'"))
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	return steps
}
