package ui

import (
	"net/url"
	"strconv"

	"gapless/store"
)

// auditPage is who did what, newest first.
type auditPage struct {
	Tabs    tabs
	Entries []auditRow
	Who     string // only theirs
	Older   string // address of the next page; empty: this is the last
}

type auditRow struct {
	At                       *moment
	Who, What, About, Detail string
	Theirs                   string // address of all they did
}

const auditRows = 100

func showAudit(v *visit) (view, error) {
	asked := v.URL.Query()
	before, err := strconv.ParseInt(asked.Get("before"), 10, 64)
	if asked.Get("before") != "" && (err != nil || before < 1) {
		return view{}, wrongInput("The address has a mistake. Begin with the newest entries again.")
	}
	who := asked.Get("who")
	log, err := v.Store.AuditLog(v.Context(), store.AuditFilter{Who: who, Before: before, Limit: auditRows})
	if err != nil {
		return view{}, err
	}
	zone, err := v.houseClock()
	if err != nil {
		return view{}, err
	}
	p := auditPage{Tabs: v.settingsTabs(), Who: who}
	for _, e := range log {
		p.Entries = append(p.Entries, auditRow{zone.at(e.At), e.Who, e.What, e.About, e.Detail, "/settings/audit?" + url.Values{"who": {e.Who}}.Encode()})
	}
	if len(log) == auditRows {
		next := url.Values{"before": {strconv.FormatInt(log[len(log)-1].ID, 10)}}
		if who != "" {
			next.Set("who", who)
		}
		p.Older = "/settings/audit?" + next.Encode()
	}
	return view{template: "audit", title: "Audit log", body: p}, nil
}
