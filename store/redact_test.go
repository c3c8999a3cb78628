package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// person is somebody whose data can be recognised, in clear as in compressed
// blobs: S2 finds no repetition in noise.
type person struct{ Name, Email, Phone, Address string }

func somebody() person {
	return person{"name-" + noiseText(32), noiseText(32) + "@example.com", "+31-" + noiseText(32), noiseText(32) + " lane"}
}

// traces are what to look for of p.
func (p person) traces() []string {
	return []string{p.Name[5:], p.Email[:32], p.Phone[4:], p.Address[:32]}
}

// buy brings an order of p into every place where it leaves traces: events,
// orders, attempts with their transcripts. Each version is a size of its own, so
// that rows move between pages.
func buy(t *testing.T, s *Store, customer, id int64, p person, versions int) {
	t.Helper()
	for v := range versions {
		w := order(id, v+1)
		content, err := json.Marshal(map[string]any{"id": id, "customer": p, "note": noiseText(200 + (int(id)*977+v*3301)%12_000)})
		require.NoError(t, err)
		e := webhook(fmt.Sprint(id, "-", v))
		e.Body = content
		_, err = s.Append(t.Context(), e)
		require.NoError(t, err)
		w.CustomerID, w.Content, w.EventID = customer, content, e.ID
		w.Customer = []string{p.Email, p.Name}
		require.NoError(t, s.ApplyIntake(t.Context(), Intake{
			At: noon, Through: e.ID, Orders: []Wanted{w},
			Decisions: []Decision{{At: noon, Shop: "acme", OrderID: id, EventID: e.ID, Step: "intake", Outcome: "newer"}},
		}))
		c := claimed(t, s)
		a := begun(t, s, c)
		r := settle(c, StateDelivered)
		r.AttemptID, r.Outcome = a.ID, &Outcome{Result: "created", EndedAt: noon, Exchanges: content}
		require.NoError(t, s.Settle(t.Context(), r))
	}
}

// withoutPerson is how these tests redact.
func withoutPerson(content []byte) ([]byte, error) {
	var o map[string]any
	if err := json.Unmarshal(content, &o); err != nil {
		return nil, err
	}
	delete(o, "customer")
	return json.Marshal(o)
}

// found tells where traces of people are: in the bytes of which file, or in a
// blob of which table.
func found(t *testing.T, s *Store, people ...person) map[string]bool {
	t.Helper()
	places := map[string]bool{}
	look := func(place string, content []byte) {
		for _, p := range people {
			for _, trace := range p.traces() {
				if bytes.Contains(content, []byte(trace)) {
					places[place] = true
				}
			}
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		content, err := os.ReadFile(s.path + suffix)
		require.NoError(t, err)
		look("file"+suffix, content)
	}
	for table, column := range map[string]string{"bodies": "body", "contents": "content", "transcripts": "exchanges"} {
		for _, blob := range blobs(t, s, table, column) {
			plain, err := s.codec.unpack(blob)
			require.NoError(t, err)
			look(table, plain)
		}
	}
	return places
}

func blobs(t *testing.T, s *Store, table, column string) (all [][]byte) {
	t.Helper()
	rows, err := s.readers.QueryContext(t.Context(), `SELECT `+column+` FROM `+table)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var blob []byte
		require.NoError(t, rows.Scan(&blob))
		all = append(all, blob)
	}
	require.NoError(t, rows.Err())
	return all
}

// redact does what intake does with a request to forget people.
func redact(t *testing.T, s *Store, r Redaction) {
	t.Helper()
	r.Shop = "acme"
	if r.Redact == nil {
		r.Redact = withoutPerson
	}
	if r.EventID == 0 {
		r.EventID = appended(t, s, "request-"+noiseText(8)).ID
	}
	require.NoError(t, s.Redact(t.Context(), r))
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: s.now(), Through: r.EventID, Forget: []int64{r.EventID}}))
	require.NoError(t, s.Purge(t.Context()))
}

func requireRedacted(t *testing.T, s *Store, want map[Person]bool) {
	t.Helper()
	redacted, err := s.Redacted(t.Context(), slices.Collect(maps.Keys(want)))
	require.NoError(t, err)
	require.Equal(t, want, redacted)
}

func TestOfARedactedCustomerNoByteIsLeftAndOfOthersAllIs(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	gone, stays := somebody(), somebody()
	for id := int64(1); id <= 40; id += 2 {
		buy(t, s, 7, id, gone, 3)
		buy(t, s, 8, id+1, stays, 3)
		if id == 21 { // what comes before is in the database, what comes after in its WAL
			require.NoError(t, s.Purge(t.Context()))
		}
	}
	everywhere := map[string]bool{"file": true, "file-wal": true, "bodies": true, "contents": true, "transcripts": true}
	require.Equal(t, everywhere, found(t, s, gone))
	before := stored(t, s, 1)

	clock.at = noon.Add(time.Hour)
	redact(t, s, Redaction{CustomerID: 7})
	require.Empty(t, found(t, s, gone))
	delete(everywhere, "file-wal")
	require.Equal(t, everywhere, found(t, s, stays))

	after := stored(t, s, 1)
	require.Equal(t, noon.Add(time.Hour), after.RedactedAt)
	require.NotContains(t, string(after.Content), "customer")
	after.RedactedAt, after.Content = before.RedactedAt, before.Content
	require.Equal(t, before, after, "id, version and hash stay")
	require.Equal(t, "v3", delivery(t, s, 1).Held)
	requireDuplicate(t, s, "1-0")
	requireRedacted(t, s, map[Person]bool{{"acme", 7}: true, {"acme", 8}: false, {"acme", 0}: false})
}

func TestOfARedactedShopNoByteIsLeft(t *testing.T) {
	s := open(t)
	first, other := somebody(), somebody()
	buy(t, s, 7, 1, first, 2)
	buy(t, s, 0, 2, other, 2)
	redact(t, s, Redaction{WholeShop: true})
	require.Empty(t, found(t, s, first, other))
	requireRedacted(t, s, map[Person]bool{{"acme", 99}: true, {"acme", 0}: true, {"else", 99}: false})
}

func TestOrdersThatARequestNamesAreRedactedWhoeverBoughtThem(t *testing.T) {
	s := open(t)
	gone, stays := somebody(), somebody()
	buy(t, s, 0, 1, gone, 2)
	buy(t, s, 0, 2, stays, 2)
	redact(t, s, Redaction{OrderIDs: []int64{1, 404}})
	require.Empty(t, found(t, s, gone))
	require.NotEmpty(t, found(t, s, stays))
}

func TestTheRequestItselfGoesToo(t *testing.T) {
	s := open(t)
	p := somebody()
	e := webhook("redact-request")
	e.Body = []byte(`{"customer":{"email":"` + p.Email + `"}}`)
	_, err := s.Append(t.Context(), e)
	require.NoError(t, err)
	require.NotEmpty(t, found(t, s, p))
	redact(t, s, Redaction{CustomerID: 7, EventID: e.ID})
	require.Empty(t, found(t, s, p))
}

func TestContentThatCannotBeRedactedGoesAltogether(t *testing.T) {
	s := open(t)
	p := somebody()
	buy(t, s, 7, 1, p, 1)
	broken := func([]byte) ([]byte, error) { return nil, errors.New("not an order") }
	redact(t, s, Redaction{CustomerID: 7, Redact: broken})
	require.Empty(t, found(t, s, p))
	require.Empty(t, stored(t, s, 1).Content)
	require.Equal(t, "v1", stored(t, s, 1).Version)
}

func TestACallUnderWayWhileItsOrderIsRedactedLeavesNoTranscript(t *testing.T) {
	s := open(t)
	p := somebody()
	w := order(1, 1)
	w.CustomerID, w.Content = 7, []byte(`{}`)
	intake(t, s, w)
	c := claimed(t, s)
	a := begun(t, s, c)
	redact(t, s, Redaction{CustomerID: 7})
	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome = a.ID, &Outcome{Result: "created", EndedAt: noon, Exchanges: json.RawMessage(`["` + p.Email + `"]`)}
	require.ErrorIs(t, s.Settle(t.Context(), r), ErrStale)
	require.Equal(t, StateUnknown, delivery(t, s, 1).State, "what it did is looked up")
	require.Empty(t, found(t, s, p))
}

// busy is a store in which something is done once, while the next write waits for the
// writer.
func busy(t *testing.T, c *clock, meanwhile *func()) *Store {
	return open(t, func(o *Options) {
		o.Now = c.now
		o.Step = func(done bool) {
			if do := *meanwhile; do != nil && !done {
				*meanwhile = nil
				do()
			}
		}
	})
}

// The attempt begins while the redaction waits for the writer.
func TestACallThatBeginsAheadOfTheRedactionLeavesNoTranscript(t *testing.T) {
	clock := &clock{noon}
	var meanwhile func()
	s := busy(t, clock, &meanwhile)
	p := somebody()
	w := order(1, 1)
	w.CustomerID, w.Content = 7, []byte(`{}`)
	intake(t, s, w)
	c := claimed(t, s)
	ask := Redaction{Shop: "acme", OrderIDs: []int64{1}, EventID: appended(t, s, "request").ID, Redact: withoutPerson}
	var a Attempt
	meanwhile = func() {
		clock.at = clock.at.Add(time.Millisecond)
		a = begun(t, s, c)
	}
	require.NoError(t, s.Redact(t.Context(), ask))
	require.NotZero(t, a.ID)
	clock.at = clock.at.Add(time.Second)
	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome = a.ID, &Outcome{Result: "created", EndedAt: clock.at, Exchanges: json.RawMessage(`["` + p.Email + `"]`)}
	require.ErrorIs(t, s.Settle(t.Context(), r), ErrStale)
	require.Empty(t, found(t, s, p))
}

// A look-up begins while it waits for the writer that an order turns out to be of a
// forgotten person.
func TestALookUpThatBeginsBeforeItsBuyerIsKnownLeavesNoTranscript(t *testing.T) {
	clock := &clock{noon}
	var meanwhile func()
	s := busy(t, clock, &meanwhile)
	p := somebody()
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	var a Attempt
	w := order(1, 2)
	w.CustomerID, w.RedactedAt = 7, clock.at
	meanwhile = func() {
		clock.at = clock.at.Add(time.Millisecond)
		a = intent(c, ActionLookup, clock.at)
		require.NoError(t, s.Begin(t.Context(), &a))
	}
	intake(t, s, w)
	require.NotZero(t, a.ID)
	clock.at = clock.at.Add(time.Second)
	require.NoError(t, s.KeepOutcome(t.Context(), a.ID, Outcome{Result: "found", EndedAt: clock.at, Exchanges: json.RawMessage(`["` + p.Email + `"]`)}))
	require.Empty(t, found(t, s, p))
}

// unnamed are n events to append that are never duplicates.
func unnamed(n int, body []byte) (group []*write) {
	for range n {
		group = append(group, &write{event: webhook(""), body: body})
	}
	return group
}

// crowd brings n orders of customer 7 and their events into the store, without
// intake, which would take long.
func crowd(t *testing.T, s *Store, p person, n int) {
	t.Helper()
	content, err := json.Marshal(map[string]any{"customer": p})
	require.NoError(t, err)
	packed := s.codec.pack(content)
	require.NoError(t, s.writer.apply(t.Context(), 0, func(x *tx) error { // whose connection leaves no remains in the pages
		for _, statement := range []string{
			`INSERT INTO events SELECT i, 'acme', 'webhook', 'orders/create', 'w'||i, '', '{}', at, at, 100 FROM n, given`,
			`INSERT INTO bodies SELECT i, packed FROM n, given`,
			`INSERT INTO orders SELECT 'acme', i, '#'||i, 'v1', 'h1', 'EUR', '10.00', 0, 7, at, at, 0, 0, 0, 0, at, i FROM n, given`,
			`INSERT INTO contents SELECT 'acme', i, packed FROM n, given`,
			`INSERT INTO decisions (at, shop, order_id, event_id, step, outcome, detail) SELECT at, 'acme', i, i, 'intake', 'new', '' FROM n, given`,
			`INSERT INTO meta (key, value) SELECT 'intake', CAST(max(i) AS TEXT) FROM n`,
		} {
			if err := x.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1), given(at, packed) AS (SELECT $2, $3) `+statement, n, micros(noon), packed); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestWebhooksAreStoredWhileManyOrdersAreRedacted(t *testing.T) {
	const orders = 20_000
	s := open(t)
	p := somebody()
	crowd(t, s, p, orders)
	other, met := second(t, s.path), 0
	redact(t, s, Redaction{WholeShop: true, Redact: func(content []byte) ([]byte, error) {
		if met%5000 == redactSlice/2 { // in the midst of a slice
			appended(t, s, fmt.Sprint("meanwhile-", met))
			require.Equal(t, met/redactSlice*redactSlice, one[int](t, other, `SELECT count(*) FROM orders WHERE redacted_at > 0`))
		}
		met++
		return withoutPerson(content)
	}})
	require.Equal(t, orders, met)
	require.Empty(t, found(t, s, p))
	events, err := s.PendingEvents(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, events, 4, "what came after the request waits for its decision")
}

func TestARedactionThatIsCutOffAnywhereGoesOnWhereItWas(t *testing.T) {
	const orders = redactSlice*2 + 50
	for name, r := range map[string]Redaction{"of a shop": {WholeShop: true}, "of a customer": {CustomerID: 7}} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			p := somebody()
			crowd(t, s, p, orders)
			for i := range redactSlice + 50 { // bodies of which it is not known whose they are
				e := webhook(fmt.Sprint("odd-", i))
				if r.WholeShop {
					e.Body = []byte("<html>" + p.Email)
				}
				_, err := s.Append(t.Context(), e)
				require.NoError(t, err)
			}
			r.EventID = appended(t, s, "request").ID

			var copies []string
			afterEachCommit := func(do func(Topic)) { // set in the writer, which alone reads it
				require.NoError(t, s.writer.apply(t.Context(), 0, func(*tx) error { s.writer.committed = do; return nil }))
			}
			afterEachCommit(func(Topic) { copies = append(copies, crash(t, s)) })
			redact(t, s, r)
			afterEachCommit(s.wake)
			require.Greater(t, len(copies), orders/redactSlice+1)

			for i, path := range copies[1 : len(copies)-1] { // before the first nothing has begun, with the last all is done
				s := open(t, at(path))
				requireRedacted(t, s, map[Person]bool{{"acme", 7}: true})
				pending, err := s.PendingEvents(t.Context(), 1000)
				require.NoError(t, err)
				require.Equal(t, r.EventID, pending[len(pending)-1].ID, "it is still to be decided")
				require.NotEmpty(t, pending[len(pending)-1].Body)
				left := 0
				r.Redact = func(content []byte) ([]byte, error) { left++; return withoutPerson(content) }
				redact(t, s, r)
				require.Equal(t, max(0, orders-i*redactSlice), left, "orders left after %d writes", i)
				require.Empty(t, found(t, s, p))
				stop(t, s)
			}
		})
	}
}

func TestOldBodiesAndTranscriptsGoOnceIntakeHasSeenThem(t *testing.T) {
	s := open(t)
	p := somebody()
	buy(t, s, 7, 1, p, 3) // events and attempts of noon, all seen
	unseen := appended(t, s, "unseen")
	young := webhook("young")
	young.ReceivedAt = noon.Add(time.Hour)
	_, err := s.Append(t.Context(), young)
	require.NoError(t, err)

	more, err := s.ForgetBodies(t.Context(), noon)
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, blobs(t, s, "bodies", "body"), 5, "nothing is older than noon")

	more, err = s.ForgetBodies(t.Context(), noon.Add(time.Minute))
	require.NoError(t, err)
	require.False(t, more)
	require.Empty(t, blobs(t, s, "transcripts", "exchanges"))
	for id, kept := range map[int64]bool{1: false, 3: false, unseen.ID: true, young.ID: true} {
		e, err := s.Event(t.Context(), id)
		require.NoError(t, err, "the event itself stays")
		require.Equal(t, kept, e.Body != nil, "body of event %d", id)
	}
}

func TestForgettingGoesInBoundedSteps(t *testing.T) {
	s := open(t)
	require.NoError(t, s.writer.apply(t.Context(), 0, func(x *tx) error {
		return s.writer.appendEvents(unnamed(1500, []byte{0}))
	}))
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Through: 1500}))
	for _, want := range []struct {
		more bool
		left int
	}{{true, 500}, {false, 0}, {false, 0}} {
		more, err := s.ForgetBodies(t.Context(), noon.Add(time.Minute))
		require.NoError(t, err)
		require.Equal(t, want.more, more)
		require.Len(t, blobs(t, s, "bodies", "body"), want.left)
	}
}
