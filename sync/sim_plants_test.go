package ordersync

// plant is a bug that a programmer might make, as a change of one place of the
// source. The simulator must find it.
type plant struct {
	name   string
	file   string // from the module's root
	old    string // occurs exactly once
	new    string
	breaks string
}

var plants = []plant{
	{
		"acknowledged before stored", "shopify/door.go",
		"\t\t_, err = d.Keep(r.Context(), hook)\n",
		"\t\tw.WriteHeader(http.StatusOK)\n\t\t_, err = d.Keep(r.Context(), hook)\n",
		"a crash loses a webhook that Shopify will not send again",
	},
	{
		"duplicate key not remembered", "store/dedupe.go",
		"\t\t\td.group[x.key] = struct{}{}\n",
		"",
		"a repeated webhook is stored twice",
	},
	{
		"keys not read again after a crash", "store/dedupe.go",
		"\t\td.recent[keyOf(shop, id)] = struct{}{}\n",
		"",
		"a webhook repeated after a crash is stored twice",
	},
	{
		"intake skips an event", "sync/intake.go",
		"\tb.Through, b.At = events[len(events)-1].ID, b.at\n",
		"\tb.Through, b.At = events[len(events)-1].ID+1, b.at\n",
		"an event that comes meanwhile is never decided",
	},
	{
		"a tie counts as newer", "sync/intake.go",
		"\tcase !seen || o.UpdatedAt.After(known.UpdatedAt):\n",
		"\tcase !seen || !o.UpdatedAt.Before(known.UpdatedAt):\n",
		"of two versions of one second the one heard last wins",
	},
	{
		"an answer wins over a later webhook", "sync/intake.go",
		"\t\tif told {\n",
		"\t\tif told && false {\n",
		"an answer under way when a webhook of the same second comes overwrites it",
	},
	{
		"what a webhook told is final", "sync/poll.go",
		"\t\tcase !have.Final():\n",
		"\t\tcase false:\n",
		"a second change of one second, whose webhook is lost, is never found",
	},
	{
		"no overlap of polls", "sync/poll.go",
		"\tfrom = from.Add(-shop.PollOverlap)\n",
		"",
		"what the search index learns late is never asked for",
	},
	{
		"the poll's cursor is our own clock", "sync/poll.go",
		"earlier(p.judged, p.Newest), \"\")\n",
		"p.judged, \"\")\n",
		"while our clock is ahead, polls skip what happens then",
	},
	{
		"the cursor is stored before what was seen", "sync/poll.go",
		"\tp.Fetched += len(lost) + len(asks)\n",
		"\tp.Fetched += len(lost) + len(asks)\n\tif err := p.store.Polled(ctx, p.shop.Name, p.From.Add(p.shop.PollOverlap), p.Newest, \"\"); err != nil {\n\t\treturn err\n\t}\n",
		"a crash in between loses what the poll found",
	},
	{
		"a failed fetch is dropped", "sync/refetch.go",
		"\t\tif err := e.store.PostponeRefetch(ctx, r, e.now().Add(wait), err.Error()); err != nil {\n",
		"\t\tif err := e.store.DropRefetch(ctx, r, store.Decision{At: e.now().Add(0 * wait), Shop: r.Shop, OrderID: r.ID, Step: \"refetch\"}); err != nil {\n",
		"an order in doubt is not asked for again",
	},
	{
		"an answer ends every question", "store/orders.go",
		"WHERE shop = $1 AND order_id = $2 AND asked <= $3`",
		"WHERE shop = $1 AND order_id = $2 AND $3 = $3`",
		"a doubt that comes during a fetch is forgotten with its answer",
	},
	{
		"no look-up after an unknown result", "sync/lookup.go",
		"\tif !a.claim.Verify {\n",
		"\tif !a.claim.Verify || a.claim.Ghost != \"\" {\n",
		"a document whose call was not answered is made again",
	},
	{
		"a look-up at once", "sync/lane.go",
		"\t\treturn 0\n\t}\n\treturn l.longest()\n",
		"\t\treturn 0\n\t}\n\treturn 0\n",
		"a call under way is not seen yet, and its document is made again",
	},
	{
		"a newer version does not wait", "sync/deliver.go",
		"\treturn a.waitForGhost(a.longest(), \"an earlier",
		"\treturn a.waitForGhost(0, \"an earlier",
		"a late effect lands on top of a newer version",
	},
	{
		"an unanswered call leaves no ghost", "sync/outcome.go",
		"\ts.Verify, s.Ambiguous, s.Ghost = true, true, true\n",
		"\ts.Verify, s.Ambiguous, s.Ghost = true, true, false\n",
		"nobody waits for its late effect",
	},
	{
		"a 500 leaves no ghost", "sync/outcome.go",
		"\"\", r.Lingers\n",
		"\"\", false\n",
		"the failed request lands on top of a newer version",
	},
	{
		"a 500 did nothing", "erp/http/status.go",
		"\tif a.s.Tier == erp.TierA {\n",
		"\tif true {\n",
		"in tiers B and C it may have, and the document is made again",
	},
	{
		"no intent before the call", "sync/deliver.go",
		"\tif err := a.engine.store.Begin(a.calls, &note); err != nil {\n\t\treturn note, nil, a.putBack(\"the intent could not be stored: \" + err.Error())\n\t}\n",
		"",
		"a crash forgets a call that has left",
	},
	{
		"the lease ends when the call begins", "store/deliveries.go",
		"lease_until = max(lease_until, $7)",
		"lease_until = CASE WHEN $1 > 0 THEN $1 ELSE max(lease_until, $7) END",
		"a second attempt begins while the first is at it",
	},
	{
		"a clock that leaps ends leases", "sync/elapsed.go",
		"\t\t\tover = over.Add(-max(0, l.by))\n",
		"\t\t\tover = over.Add(-max(0, 0*l.by))\n",
		"a second attempt begins while the first is at it",
	},
	{
		"a clock that leaps ends waits", "sync/elapsed.go",
		"\t\t\tpassed -= l.by\n",
		"\t\t\tpassed -= 0 * l.by\n",
		"a call under way is not seen yet, and its document is made again",
	},
	{
		"what the clock did before the start is forgotten", "sync/elapsed.go",
		"\tcounted := later(t, e.leaps[0].to)\n",
		"\tcounted := t\n",
		"a call under way is not seen yet, and its document is made again",
	},
	{
		"the intent asks for no token", "store/deliveries.go",
		"AND erp = $4 AND token = $5 AND state = 'sending'`,\n\t\t\tsent,",
		"AND erp = $4 AND $5 <> ''`,\n\t\t\tsent,",
		"an attempt whose lease is over sends all the same",
	},
	{
		"the result asks for no token", "store/deliveries.go",
		"AND erp = $18 AND token = $19 AND state = 'sending'`",
		"AND erp = $18 AND $19 <> ''`",
		"an attempt whose lease is over overwrites the next one's result",
	},
	{
		"a refusal of the older version rests", "store/deliveries.go",
		"\tcase StateDue, StateUnknown:\n\t\treturn r, err\n",
		"\tcase StateDue, StateUnknown, StateParked, StateExcluded:\n\t\treturn r, err\n",
		"a version that came during the attempt is never sent",
	},
	{
		"a restart frees what was being sent", "store/recover.go",
		"\t\tstate = CASE WHEN sent_at > 0 THEN 'unknown' ELSE 'due' END,\n",
		"\t\tstate = 'due',\n",
		"a call cut off by a crash is made again without a look-up",
	},
	{
		"a restart forgets calls under way", "store/recover.go",
		"ghost = CASE WHEN sent_at > 0 THEN sent ELSE ghost END, ghost_at = CASE WHEN sent_at > 0 THEN $1 ELSE ghost_at END",
		"ghost = ghost, ghost_at = ghost_at",
		"nobody waits for the late effect of a call cut off by a crash",
	},
	{
		"a replay forgets a call in doubt", "store/recover.go",
		"sent_at = CASE WHEN state = 'parked' THEN 0 ELSE sent_at END",
		"sent_at = 0",
		"tier C makes the document again",
	},
	{
		"a failure that passes parks", "sync/outcome.go",
		"\t\ts := a.retry(r.Reason, r.After)\n",
		"\t\tif true {\n\t\t\treturn a.park(\"deliver\", &erp.Problem{Reason: r.Reason})\n\t\t}\n\t\ts := a.retry(r.Reason, r.After)\n",
		"orders wait for a person though the ERP is back",
	},
	{
		"a dead ERP is never tried again", "sync/circuit.go",
		"\tif now.Before(c.until) {\n\t\treturn 0, c.until.Sub(now)\n",
		"\tif true {\n\t\treturn 0, time.Second\n",
		"once open, the circuit never closes",
	},
	{
		"Retry-After is obeyed for ever", "sync/outcome.go",
		"\tafter = min(after, longestRetryAfter)\n",
		"",
		"one answer keeps an order waiting for hours",
	},
	{
		"a backoff without bound", "sync/engine.go",
		"\tif tries < 30 && first<<tries < longest {\n",
		"\tif tries < 30 {\n",
		"orders wait for ever longer",
	},
	{
		"a cancellation is not passed on", "sync/deliver.go",
		"Cancelled: a.order.CancelledAt != nil,",
		"Cancelled: false,",
		"a cancelled order parks or stays live",
	},
	{
		"an excluded document stays live", "sync/deliver.go",
		"\tif a.rule != nil && nothingThere {\n",
		"\tif a.rule != nil {\n",
		"an order that a rule takes out stays in the ERP",
	},
	{
		"excluded without a look", "sync/deliver.go",
		"nothingMade && !a.claim.Verify\n",
		"nothingMade\n",
		"a document that the delivery does not know of stays live",
	},
	{
		"a failed call has made nothing", "sync/deliver.go",
		" && a.claim.Ghost == \"\" //",
		" //",
		"an order that a rule takes out stays in the ERP, where a call that was answered with 500 has made it",
	},
	{
		"cancelling changes no content", "erp/adapter.go",
		"\t\thash += \"-cancelled\"\n",
		"",
		"a rule takes an order out, and the document counts as the same",
	},
	{
		"tier C makes documents anew", "sync/lookup.go",
		"doubtful := a.Adapter.Tier() == erp.TierC && ",
		"doubtful := false && ",
		"a document that does not show yet is made again",
	},
	{
		"ghosts of a restored copy", "store/store.go",
		"sent = 'not known', ghost = 'not known', ghost_at = $1\n",
		"sent = 'not known'\n",
		"a call that left after the backup lands on top of what is sent next",
	},
	{
		"a restore without looking first", "store/backup.go",
		"`UPDATE deliveries SET verify = 1;\n\t\tINSERT",
		"`UPDATE deliveries SET verify = verify;\n\t\tINSERT",
		"what the copy knows is sent over what the ERP has",
	},
	{
		"the ERP is never ahead", "sync/lookup.go",
		"\t\tif newerVersion(f.Version, a.doc.Version) || ",
		"\t\tif ",
		"after a restore an older version is sent over a newer",
	},
	{
		"a cancelled document is never ahead", "sync/lookup.go",
		"\t\tif newerVersion(f.Version, a.doc.Version) || ",
		"\t\tif !f.Cancelled && newerVersion(f.Version, a.doc.Version) || ",
		"after a restore a cancelled order comes to life",
	},
	{
		"asked for ever", "sync/lookup.go",
		"\tif a.claim.Tries >= asked {\n",
		"\tif a.claim.Tries >= 100*asked {\n",
		"an order that Shopify no longer tells of goes round and round",
	},
	{
		"a document that is gone is changed for ever", "erp/http/deliver.go",
		"\tcase (ans.status == http.StatusNotFound || ans.status == http.StatusGone) && !s.create:\n",
		"\tcase false:\n",
		"an order whose document somebody deleted never comes back",
	},
	{
		"a rule decides by the older version", "sync/lookup.go",
		"\tcase a.newerThere(found) != \"\":\n",
		"\tcase a.newerThere(found) != \"\" && a.rule == nil:\n",
		"after a restore a rule takes out what the newer version lets pass",
	},
	{
		"what a look-up saw is forgotten", "sync/lookup.go",
		"\ta.claim.Present = a.claim.Present || len(found) > 0\n",
		"",
		"a document whose change was refused stays live when a rule takes the order out",
	},
	{
		"a redaction leaves attempts alone", "store/redact.go",
		"\tif err := t.exec(takeBack+` AND shop = $2 AND order_id = $3`, micros(now), k.Shop, k.ID); err != nil {\n\t\treturn err\n\t}\n",
		"",
		"an attempt under way sends and keeps what names a forgotten person",
	},
	{
		"pages of two states", "shopify/fetch.go",
		"f.queries > 1 && ",
		"false && ",
		"an edit between two pages, within a second, parks the order",
	},
	{
		"the cursor passes what is young", "sync/poll.go",
		"\t\t\tp.judged = earlier(p.judged, head.UpdatedAt)\n",
		"",
		"a change that was young at one poll, and whose webhook is lost, is left to the comparison",
	},
	{
		"a gap closes by what is known here", "sync/gaps.go",
		" || l.known.UpdatedAt.Before(changed(g)))\n",
		")\n",
		"a gap closes before the change that it is about was fetched",
	},
	{
		"a gap is taken for healed unseen", "sync/gaps.go",
		"\tfor _, f := range found {\n\t\tit.docs = append(it.docs, entryOf(g.OrderID, f))\n\t}\n",
		"\tit.docs = []entry{{order: g.OrderID, name: fmt.Sprint(len(found))}}\n",
		"a gap closes without its document",
	},
	{
		"a gap closes though it was seen again", "store/gaps.go",
		"WHERE id = $3 AND about = $4 AND state <> 'closed'`",
		"WHERE id = $3 AND $4 = $4 AND state <> 'closed'`",
		"a gap that is about something newer by now is closed by an older answer",
	},
	{
		"gone documents keep their gaps", "sync/gaps.go",
		"!doubtful(g, it) && c.judge(it).kind == \"\" {",
		"!doubtful(g, it) {",
		"a gap stays open where order and document are both gone",
	},
	{
		"deleted orders keep their gaps", "sync/gaps.go",
		"\tcase v.kind == store.GapOrphan && g.Kind != store.GapOrphan:\n",
		"\tcase false:\n",
		"what was wrong with an order that was deleted stays wrong for ever",
	},
	{
		"a comparison does not heal", "sync/faults.go",
		"\t\tif !r.pass.Heal {\n",
		"\t\tif true {\n",
		"a document that somebody cancelled stays so",
	},
	{
		"compared without Shopify", "sync/reconcile.go",
		"\tr.out.Complete = failure == nil && r.shopify && r.erp\n",
		"\tr.out.Complete = failure == nil && r.erp\n",
		"hours count as compared in which Shopify could not be read",
	},
	{
		"compared up to now", "sync/reconcile.go",
		"earlier(pass.To, earlier(r.until, e.now().Add(-shop.PollOverlap)))",
		"pass.To",
		"changes count as compared that Shopify's search did not show yet",
	},
	{
		"what Shopify does not list is gone", "sync/second_look.go",
		"\tfor _, h := range heads {\n\t\tshown[h.ID] = true\n\t}\n",
		"\tfor range heads {\n\t}\n",
		"a list that skips an order makes an orphan of its document",
	},
	{
		"a backfill believes a short file", "sync/backfill.go",
		"\tif b.run.Done < o.Orders {\n",
		"\tif false {\n",
		"orders of the past are missing",
	},
}
