package httperp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
)

func refs(t *testing.T, a *httperp.Adapter, since time.Time) ([]string, error) {
	t.Helper()
	var got []string
	err := a.List(t.Context(), since, func(f erp.Found) error {
		got = append(got, f.Ref)
		return nil
	})
	return got, err
}

func TestListFollowsCursors(t *testing.T) {
	_, server := startERP(t, erptest.Options{})
	a := newAdapter(t, httperp.Settings{URL: server.URL}, time.Now)
	start := time.Now()
	const orders = 250
	for i := range orders {
		o := erptest.Order(fmt.Sprintf("acme-%d", i))
		body, err := a.Map(o)
		if err != nil {
			t.Fatal(err)
		}
		if out := a.Deliver(t.Context(), erp.Document{Ref: o.Ref, Version: "1", Order: o, Body: body}, nil); out.Result != erp.Created {
			t.Fatalf("%+v", out)
		}
	}
	got, err := refs(t, a, start)
	if err != nil || len(got) != orders || got[0] != "acme-0" || got[orders-1] != "acme-249" {
		t.Fatalf("%d orders from %v, want %d in the order of change: %v", len(got), got, orders, err)
	}
}

func TestEachPageOfAListWaitsForItsPace(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintf(w, `{"orders":[{"reference":"acme-%d"}],"next":"%d"}`, asked, asked)
	}))
	defer server.Close()
	a := newAdapter(t, httperp.Settings{URL: server.URL}, time.Now)
	enough, pages := errors.New("enough"), 0
	ctx := erp.WithPace(t.Context(), func(context.Context) error {
		if pages == 3 {
			return enough
		}
		pages++
		return nil
	})
	err := a.List(ctx, time.Now(), func(erp.Found) error { return nil })
	if !errors.Is(err, enough) || asked != 3 {
		t.Fatalf("%d pages were asked for, and then %v", asked, err)
	}
}

func TestListFollowsLinks(t *testing.T) {
	for name, c := range map[string]struct {
		next string
		want int
		err  string
	}{
		"link":         {`"/orders?page=2"`, 2, ""},
		"query":        {`"?page=2"`, 2, ""},
		"end":          {`null`, 1, ""},
		"loop":         {`"?since=2026-11-20T09%3A30%3A00Z"`, 1, "next_path"},
		"another host": {`"http://evil.example.com/orders"`, 1, "another host"},
		"no scheme":    {`"//evil.example.com/orders"`, 1, "another host"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next := c.next
				if r.URL.Query().Get("page") == "2" {
					next = "null"
				} else if r.URL.Query().Get("since") != "2026-11-20T09:30:00Z" {
					t.Errorf("since %q", r.URL.Query().Get("since"))
				}
				fmt.Fprintf(w, `{"orders":[{"ref":"acme-1"}],"next":%s}`, next)
			}))
			defer server.Close()
			a := newAdapter(t, httperp.Settings{URL: server.URL}, time.Now)
			got, err := refs(t, a, time.Date(2026, 11, 20, 9, 30, 0, 999, time.UTC))
			if len(got) != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("%v, %v; want %d and %q", got, err, c.want, c.err)
			}
		})
	}
}

func TestCheckSaysWhatToMend(t *testing.T) {
	for body, want := range map[string]string{
		"401 {}":                "mend token",
		"404 {}":                "list_path",
		"200 <html>":            "not JSON",
		`200 {"version":"1"}`:   "never sent",
		`200 {"status":"fine"}`: "reference_path",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var status int
			fmt.Sscan(body, &status)
			w.WriteHeader(status)
			io.WriteString(w, body[4:])
		}))
		a := newAdapter(t, httperp.Settings{URL: server.URL}, time.Now)
		if err := a.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
		server.Close()
	}
}
