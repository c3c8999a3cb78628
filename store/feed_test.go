package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// offer is a version of order 1 for the ERP books.
func offer(id int64, version string) Offer {
	return Offer{ERP: "books", Ref: fmt.Sprint("acme-", id), Order: OrderKey{"acme", id}, Version: version, Hash: "hash of " + version, Body: []byte(`{"of":"` + version + `"}`)}
}

func offered(t *testing.T, s *Store, o Offer) Offer {
	t.Helper()
	stands, err := s.Offer(t.Context(), o)
	require.NoError(t, err)
	return stands
}

// onOfferNow lists what is on offer after a cursor.
func onOfferNow(t *testing.T, s *Store, after int64) (labels []string) {
	t.Helper()
	offers, err := s.Offers(t.Context(), "books", after, 100)
	require.NoError(t, err)
	for _, o := range offers {
		labels = append(labels, o.Ref+" "+o.Label)
	}
	return labels
}

// acked acknowledges one offer.
func acked(t *testing.T, s *Store, a Ack) (newer bool, err error) {
	t.Helper()
	newers, answers, err := s.Acknowledge(t.Context(), "books", []Ack{a})
	require.NoError(t, err)
	return newers[0], answers[0]
}

func took(t *testing.T, s *Store, ref, label string) {
	t.Helper()
	_, err := acked(t, s, Ack{Ref: ref, Label: label, Taken: true, ERPRef: "SO-" + label, Total: "10.00", Currency: "EUR"})
	require.NoError(t, err)
}

func takenVersion(t *testing.T, s *Store, ref string) string {
	t.Helper()
	o, err := s.TakenOffer(t.Context(), "books", ref)
	if errors.Is(err, ErrNotFound) {
		return "none"
	}
	require.NoError(t, err)
	return o.Version
}

func TestTheNewestVersionIsOnOfferWhateverCameInBetween(t *testing.T) {
	s := open(t)
	first := offered(t, s, offer(1, "1"))
	offered(t, s, offer(2, "1"))
	require.Equal(t, first, offered(t, s, offer(1, "1")), "offering again changes nothing")
	second := offered(t, s, offer(1, "2"))
	require.Greater(t, second.Seq, first.Seq)
	require.Equal(t, "2", offered(t, s, offer(1, "1")).Version, "an older one never takes a newer one's place")
	require.Equal(t, []string{"acme-2 1", "acme-1 2"}, onOfferNow(t, s, 0))
	require.Equal(t, []string{"acme-1 2"}, onOfferNow(t, s, first.Seq+1), "after a cursor")
	offers, err := s.Offers(t.Context(), "books", 0, 1)
	require.NoError(t, err)
	require.Len(t, offers, 1)
	require.Equal(t, `{"of":"1"}`, string(offers[0].Body))
	require.Empty(t, func() []Offer { o, _ := s.Offers(t.Context(), "other", 0, 9); return o }(), "each ERP has a feed of its own")
}

func TestAnotherDocumentOfTheSameVersionIsAnotherOffer(t *testing.T) {
	s := open(t)
	offered(t, s, offer(1, "1"))
	took(t, s, "acme-1", "1")
	again := offer(1, "1")
	again.Hash, again.Cancelled = "another", true
	require.Equal(t, "1+2", offered(t, s, again).Label)
	took(t, s, "acme-1", "1") // the answer to the first was lost, so it is said again
	require.Equal(t, []string{"acme-1 1+2"}, onOfferNow(t, s, 0), "and does not count for the second")
	took(t, s, "acme-1", "1+2")
	require.Empty(t, onOfferNow(t, s, 0))
	o, err := s.TakenOffer(t.Context(), "books", "acme-1")
	require.NoError(t, err)
	require.True(t, o.Cancelled)
}

func TestCursorsOfARestoredCopyGoOn(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	offered(t, s, offer(1, "1"))
	copied := crash(t, s)
	c.at = c.at.Add(time.Minute)
	last := offered(t, s, offer(2, "1"))
	c.at = c.at.Add(time.Minute)
	restored := open(t, at(copied), func(o *Options) { o.Now = c.now })
	require.Greater(t, offered(t, restored, offer(3, "1")).Seq, last.Seq, "a client that goes on from where it was misses nothing")
}

func TestAcknowledgements(t *testing.T) {
	s := open(t)
	offered(t, s, offer(1, "1"))
	_, err := acked(t, s, Ack{Ref: "acme-9", Label: "1", Taken: true})
	require.ErrorIs(t, err, ErrNotOffered)
	_, err = acked(t, s, Ack{Ref: "acme-1", Label: "7", Taken: true})
	require.ErrorIs(t, err, ErrNotAVersion)
	require.Equal(t, []string{"acme-1 1"}, onOfferNow(t, s, 0), "neither changes anything")

	offered(t, s, offer(1, "2"))
	newer, err := acked(t, s, Ack{Ref: "acme-1", Label: "1", Taken: true})
	require.NoError(t, err)
	require.True(t, newer)
	require.Equal(t, "1", takenVersion(t, s, "acme-1"))
	require.Equal(t, []string{"acme-1 2"}, onOfferNow(t, s, 0), "the newer one stays on offer")

	took(t, s, "acme-1", "2")
	took(t, s, "acme-1", "1")
	require.Equal(t, "2", takenVersion(t, s, "acme-1"), "what comes late says nothing of the newer one")
	_, err = acked(t, s, Ack{Ref: "acme-1", Label: "2", Reason: "no"})
	require.ErrorIs(t, err, ErrTaken)
	require.Empty(t, blobs(t, s, "offer_bodies", "body"), "what was answered is not kept")
}

func TestAnAcknowledgementOfSeveralCountsEachForItself(t *testing.T) {
	s := open(t)
	offered(t, s, offer(1, "1"))
	offered(t, s, offer(2, "1"))
	_, answers, err := s.Acknowledge(t.Context(), "books", []Ack{
		{Ref: "acme-1", Label: "1", Taken: true}, {Ref: "acme-7", Label: "1", Taken: true}, {Ref: "acme-2", Label: "1", Reason: "no such article", Field: "lines[0].sku"},
	})
	require.NoError(t, err)
	require.Equal(t, []error{nil, ErrNotOffered, nil}, answers)
	o, err := s.NewestOffer(t.Context(), "books", "acme-2")
	require.NoError(t, err)
	require.Equal(t, []any{OfferRefused, "no such article", "lines[0].sku"}, []any{o.State, o.Reason, o.Field})
	_, err = s.NewestOffer(t.Context(), "books", "acme-9")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestWhatWasTakenIsListedOnceByItsNewestVersion(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	const orders = takenPage + 20
	for id := range int64(orders) {
		o := offered(t, s, offer(id+1, "1"))
		took(t, s, o.Ref, "1")
	}
	c.at = c.at.Add(time.Hour)
	offered(t, s, offer(7, "2"))
	took(t, s, "acme-7", "2")
	listed := map[string]string{}
	require.NoError(t, s.TakenOffers(t.Context(), "books", noon, func(o Offer) error {
		require.Empty(t, listed[o.Ref], "%s twice", o.Ref)
		listed[o.Ref] = o.Version
		return nil
	}))
	require.Len(t, listed, orders)
	require.Equal(t, "2", listed["acme-7"])
	enough := errors.New("enough")
	require.ErrorIs(t, s.TakenOffers(t.Context(), "books", c.at, func(o Offer) error {
		require.Equal(t, "acme-7", o.Ref)
		return enough
	}), enough)
}

// waiting brings an order to the state in which it waits for the ERP.
func waiting(t *testing.T, s *Store, id int64) Offer {
	t.Helper()
	intake(t, s, order(id, 1))
	c := claimed(t, s)
	begun(t, s, c)
	o := offered(t, s, offer(id, "v1"))
	r := settle(c, StateUnknown)
	r.Ambiguous, r.NextAt = true, s.now().Add(24*time.Hour)
	require.NoError(t, s.Settle(t.Context(), r))
	return o
}

func TestAnAnswerWakesTheDeliveryThatWaitsForIt(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	waiting(t, s, 1)
	c.at = c.at.Add(time.Minute)
	changes, cancel := s.Watch(Deliveries)
	defer cancel()
	took(t, s, "acme-1", "v1")
	<-changes
	d := delivery(t, s, 1)
	require.Equal(t, []any{StateUnknown, c.at, true}, []any{d.State, d.NextAt, d.Verify})
}

func TestAnAnswerDuringTheAttemptIsNotMissed(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	intake(t, s, order(1, 1))
	claim := claimed(t, s)
	begun(t, s, claim)
	offered(t, s, offer(1, "v1"))
	c.at = c.at.Add(time.Second)
	took(t, s, "acme-1", "v1")
	c.at = c.at.Add(time.Second)
	r := settle(claim, StateUnknown)
	r.Ambiguous, r.NextAt = true, c.at.Add(24*time.Hour)
	require.NoError(t, s.Settle(t.Context(), r))
	require.Equal(t, c.at, delivery(t, s, 1).NextAt)
}

func TestANewVersionDoesNotWaitForTheAnswerToAnOlderOne(t *testing.T) {
	t.Run("while it waits", func(t *testing.T) {
		s := open(t)
		waiting(t, s, 1)
		intake(t, s, order(1, 2))
		require.Equal(t, noon, delivery(t, s, 1).NextAt)
	})
	t.Run("while its attempt is under way", func(t *testing.T) {
		s := open(t)
		intake(t, s, order(1, 1))
		c := claimed(t, s)
		begun(t, s, c)
		offered(t, s, offer(1, "v1"))
		intake(t, s, order(1, 2))
		r := settle(c, StateUnknown)
		r.Ambiguous, r.NextAt = true, noon.Add(24*time.Hour)
		require.NoError(t, s.Settle(t.Context(), r))
		require.Equal(t, noon, delivery(t, s, 1).NextAt)
	})
	t.Run("nor does a deletion", func(t *testing.T) {
		s := open(t)
		waiting(t, s, 1)
		require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Deleted: []Gap{{Shop: "acme", OrderID: 1, Kind: GapOrphan}}}))
		require.Equal(t, noon, delivery(t, s, 1).NextAt)
	})
}

func TestWhatIsExcludedWhileOnOfferIsOfferedAsCancelled(t *testing.T) {
	s := open(t)
	first := waiting(t, s, 1)
	_, err := s.Replay(t.Context(), []DeliveryKey{{OrderKey{"acme", 1}, "books"}}, "ann")
	require.NoError(t, err)
	require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), StateExcluded)))
	offers, err := s.Offers(t.Context(), "books", first.Seq, 9)
	require.NoError(t, err)
	require.Len(t, offers, 1, "after the cursor of a client that has seen the first")
	require.True(t, offers[0].Cancelled)
	require.Equal(t, "v1+2", offers[0].Label)
}

func TestWhatWasRefusedIsOfferedAgainOnceAPersonHasActed(t *testing.T) {
	s := open(t)
	waiting(t, s, 1)
	_, err := acked(t, s, Ack{Ref: "acme-1", Label: "v1", Reason: "no"})
	require.NoError(t, err)
	require.Equal(t, OfferRefused, offered(t, s, offer(1, "v1")).State)
	require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), StateParked)))
	_, err = s.Replay(t.Context(), []DeliveryKey{{OrderKey{"acme", 1}, "books"}}, "ann")
	require.NoError(t, err)
	o := offered(t, s, offer(1, "v1"))
	require.Equal(t, []any{OfferOpen, "v1+2"}, []any{o.State, o.Label})
}

func TestWhatWasRefusedAndThenTakenIsLookedAtAgain(t *testing.T) {
	s := open(t)
	waiting(t, s, 1)
	_, err := acked(t, s, Ack{Ref: "acme-1", Label: "v1", Reason: "no"})
	require.NoError(t, err)
	require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), StateParked)))
	took(t, s, "acme-1", "v1")
	d := delivery(t, s, 1)
	require.Equal(t, []any{StateDue, true}, []any{d.State, d.Verify})
}

// nobodyOnOffer wants no trace of p in the files and in the feed.
func nobodyOnOffer(t *testing.T, s *Store, p person) {
	t.Helper()
	require.Empty(t, found(t, s, p))
	for _, blob := range blobs(t, s, "offer_bodies", "body") {
		plain, err := s.codec.unpack(blob)
		require.NoError(t, err)
		for _, trace := range p.traces() {
			require.NotContains(t, string(plain), trace)
		}
	}
}

func TestOfARedactedCustomerNoByteIsLeftInTheFeed(t *testing.T) {
	s := open(t)
	p := somebody()
	for id := int64(1); id <= 20; id++ {
		w := order(id, 1)
		w.CustomerID, w.Content = 7, []byte(`{}`)
		intake(t, s, w)
		c := claimed(t, s)
		begun(t, s, c)
		o := offer(id, "v1")
		o.Body, _ = json.Marshal(map[string]any{"customer": p, "note": noiseText(200 + int(id)*701)})
		offered(t, s, o)
		if id%5 == 0 {
			_, err := acked(t, s, Ack{Ref: o.Ref, Label: "v1", Reason: "who is " + p.Email, Field: p.Name})
			require.NoError(t, err)
		}
		r := settle(c, StateUnknown)
		r.Ambiguous, r.NextAt = true, noon.Add(24*time.Hour)
		require.NoError(t, s.Settle(t.Context(), r))
		if id == 10 { // what comes before is in the database, what comes after in its WAL
			require.NoError(t, s.Purge(t.Context()))
		}
	}
	require.Equal(t, map[string]bool{"file": true, "file-wal": true}, found(t, s, p))
	redact(t, s, Redaction{CustomerID: 7})
	nobodyOnOffer(t, s, p)
	require.Empty(t, onOfferNow(t, s, 0))
	require.Equal(t, noon, delivery(t, s, 1).NextAt, "it is mapped and offered anew")

	c := claimed(t, s)
	again := offer(c.ID, "v1")
	again.Hash = "b" // of the intent that begun notes
	begun(t, s, c)
	require.Equal(t, "v1+2", offered(t, s, again).Label)
}

func TestEncryptedNothingOnOfferIsReadableInTheFiles(t *testing.T) {
	s := open(t, func(o *Options) { o.Key = key32(1) })
	p := somebody()
	o := offer(1, "v1")
	o.Body, _ = json.Marshal(p)
	offered(t, s, o)
	refused := offer(2, "v1")
	refused.Body, _ = json.Marshal(p)
	offered(t, s, refused)
	_, err := acked(t, s, Ack{Ref: refused.Ref, Label: "v1", Reason: p.Email})
	require.NoError(t, err)
	require.Empty(t, found(t, s, p))
	require.NoError(t, s.Purge(t.Context()))
	require.Empty(t, found(t, s, p))
}

func TestWhatWasMappedBeforeARedactionIsNotPutOnOfferAfterIt(t *testing.T) {
	s := open(t)
	p := somebody()
	w := order(1, 1)
	w.CustomerID, w.Content = 7, []byte(`{}`)
	intake(t, s, w)
	begun(t, s, claimed(t, s))
	redact(t, s, Redaction{CustomerID: 7})
	late := offer(1, "v1")
	late.Hash, late.Body = "b", []byte(`["`+p.Email+`"]`)
	_, err := s.Offer(t.Context(), late)
	require.ErrorIs(t, err, ErrStale)
	require.NoError(t, s.Purge(t.Context()))
	nobodyOnOffer(t, s, p)
}

func TestRefusalsAreForgottenWithAge(t *testing.T) {
	s := open(t)
	waiting(t, s, 1)
	waiting(t, s, 2)
	_, err := acked(t, s, Ack{Ref: "acme-1", Label: "v1", Reason: "no"})
	require.NoError(t, err)
	_, err = s.ForgetBodies(t.Context(), noon.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, []string{"acme-2 v1"}, onOfferNow(t, s, 0), "what is on offer stays")
	require.Len(t, blobs(t, s, "offer_bodies", "body"), 1)
	o, err := s.NewestOffer(t.Context(), "books", "acme-1")
	require.NoError(t, err)
	require.Equal(t, []string{OfferRefused, ""}, []string{o.State, o.Reason})
}
