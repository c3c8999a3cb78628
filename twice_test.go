package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
	"gapless/store"
	ordersync "gapless/sync"
)

// send posts a form as a page does, and returns the answer's status and where it leads.
func (w *world) send(path string, form url.Values) (status int, leads string, err error) {
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "http://"+w.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := w.http.Transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, resp.Header.Get("Location"), resp.Body.Close()
}

// atOnce posts a form n times at the same moment. Each must lead to the same place.
func (w *world) atOnce(n int, path string, form url.Values, leads string) {
	w.Helper()
	begin, errs := make(chan struct{}), make(chan error, n)
	var posted sync.WaitGroup
	for range n {
		posted.Go(func() {
			<-begin
			status, to, err := w.send(path, form)
			if err == nil && (status != http.StatusSeeOther || to != leads) {
				err = fmt.Errorf("%s answered %d and leads to %q", path, status, to)
			}
			errs <- err
		})
	}
	close(begin)
	posted.Wait()
	for range n {
		require.NoError(w, <-errs)
	}
}

// Two people, or one who clicks twice, replay the same gaps: each order comes into
// the ERP once, and what happened is noted once.
func TestGapsThatTwoReplayAtOnceAreMendedOnce(t *testing.T) {
	for name, options := range map[string]erptest.Options{"the ERP refuses doubles": {}, "the ERP would make doubles": {NoKey: true}} {
		t.Run(name, func(t *testing.T) {
			s := setup{erp: options}
			if options.NoKey {
				s.environ = []string{"GAPLESS_ERPS__BOOKS__TIER=B", "GAPLESS_ERPS__BOOKS__METHOD=POST", "GAPLESS_ERPS__BOOKS__UPDATE_METHOD=PUT"}
			}
			w := newWorld(t, s)
			a := w.opened()
			w.trade(30)
			w.eventually(w.atRest)
			lost := w.losing(a, 4)
			w.eventually(func() error { // what was written a moment ago an ERP of tier B need not show yet
				_, err := a.Engine.Reconcile(t.Context(), shopName, ordersync.Pass{Kind: store.RunReconcile, From: time.Now().Add(-time.Hour), To: time.Now(), By: "the test"})
				require.NoError(t, err)
				return atLeast(int64(len(liveIDs(t, a.Store))), 4)
			})
			ids := liveIDs(t, a.Store)
			require.Len(t, ids, 4)
			form := url.Values{}
			for _, id := range ids[1:] {
				form.Add("gap", fmt.Sprint(id))
			}
			one := url.Values{"gap": {fmt.Sprint(ids[0])}}
			w.atOnce(2, "/replay", one, fmt.Sprintf("/gaps/%d?did=replayed&n=1", ids[0]))
			w.atOnce(6, "/replay", form, "/gaps?did=replayed&n=3")
			w.eventually(func() error {
				n, err := a.Store.LiveGaps(t.Context())
				require.NoError(t, err)
				return nought(n)
			})
			w.eventually(w.atRest)
			for _, o := range lost {
				require.Len(t, w.erp.Live(o.Ref()), 1, o.Name)
			}
			for _, id := range ids {
				require.Equal(t, []string{"opened", "healing", "closed"}, stepsOf(t, a.Store, id))
			}
			w.atOnce(2, "/replay", one, fmt.Sprintf("/gaps/%d?did=nothing&n=0", ids[0]))
		})
	}
}

func TestGapsThatTwoLeaveAsTheyAreAtOnceAreNotedOnce(t *testing.T) {
	w := newWorld(t, setup{erp: erptest.Options{}})
	a := w.opened()
	w.trade(20)
	w.eventually(w.atRest)
	w.losing(a, 3)
	ids := liveIDs(t, a.Store)
	require.Len(t, ids, 3)
	form := url.Values{"gap": {fmt.Sprint(ids[0]), "999", fmt.Sprint(ids[1])}, "reason": {"paid in cash"}}
	status, _, err := w.send("/ignore", form)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status)
	require.Len(t, liveIDs(t, a.Store), 3, "one of them is not there: none is left as it is")

	form["gap"] = []string{fmt.Sprint(ids[0]), fmt.Sprint(ids[1])}
	w.atOnce(6, "/ignore", form, "/gaps?did=ignored&n=2")
	for _, id := range ids[:2] {
		require.Equal(t, []string{"opened", "ignored"}, stepsOf(t, a.Store, id))
		g, err := a.Store.Gap(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []string{store.GapIgnored, "demo", "paid in cash"}, []string{g.State, g.IgnoredBy, g.Reason})
	}
	require.Equal(t, ids[2:], liveIDs(t, a.Store))
}

func stepsOf(t *testing.T, s *store.Store, id int64) (all []string) {
	t.Helper()
	steps, err := s.GapSteps(t.Context(), id)
	require.NoError(t, err)
	for _, step := range steps {
		all = append(all, step.Step)
	}
	return all
}
