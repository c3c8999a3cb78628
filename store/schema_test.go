package store

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatWasHeardAndDoneIsNeverChangedOrDeleted(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Orders: []Wanted{order(1, 1)}, Decisions: []Decision{{At: noon, Step: "intake", Outcome: "new"}}}))
	c := claimed(t, s)
	a := begun(t, s, c)
	require.NoError(t, s.KeepOutcome(t.Context(), a.ID, Outcome{Result: "found", EndedAt: noon}))
	noted(t, s, missing(1))

	require.NoError(t, s.Audit(t.Context(), AuditEntry{Who: "ann", What: "replay"}))

	other := second(t, s.path)
	for _, statement := range []string{
		`UPDATE audit SET who = 'else'`,
		`DELETE FROM audit`,
		`INSERT OR REPLACE INTO audit SELECT * FROM audit`,
		`UPDATE events SET shop = 'else'`,
		`DELETE FROM events`,
		`INSERT OR REPLACE INTO events SELECT * FROM events`,
		`UPDATE attempts SET version = 'else'`,
		`DELETE FROM attempts`,
		`INSERT OR REPLACE INTO attempts SELECT * FROM attempts`,
		`UPDATE outcomes SET result = 'created'`,
		`DELETE FROM outcomes`,
		`INSERT OR REPLACE INTO outcomes SELECT * FROM outcomes`,
		`UPDATE decisions SET outcome = 'else'`,
		`UPDATE gap_steps SET by = 'else'`,
		`DELETE FROM gap_steps`,
		`INSERT OR REPLACE INTO gap_steps SELECT * FROM gap_steps`,
	} {
		_, err := other.Exec(`PRAGMA recursive_triggers = ON; ` + statement)
		require.ErrorContains(t, err, "append-only", statement)
	}
}

func TestTheSchemaRefusesImpossibleDeliveries(t *testing.T) {
	for name, set := range map[string]string{
		"a state of no name":                   `state = 'lost'`,
		"sending without a token":              `state = 'sending', token = ''`,
		"a token without sending":              `state = 'due', token = 'x'`,
		"delivered with another version held":  `state = 'delivered', held = 'v0'`,
		"delivered with nothing held":          `state = 'delivered', held = ''`,
		"delivered with the token still there": `state = 'delivered', held = wanted, token = 'x'`,
		"parked without a reason":              `state = 'parked', reason = ''`,
		"excluded without a rule":              `state = 'excluded', rule = ''`,
		"unknown with a token":                 `state = 'unknown', token = 'x'`,
		"verify neither yes nor no":            `verify = 2`,
		"present neither yes nor no":           `present = -1`,
		"a time that is text":                  `next_at = 'soon'`,
		"nothing wanted but NULL":              `wanted = NULL`,
		"delivered while another is wanted":    `state = 'delivered', held = wanted, wanted = 'v9'`,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			intake(t, s, order(1, 1))
			_, err := second(t, s.path).Exec(`UPDATE deliveries SET ` + set)
			require.ErrorContains(t, err, "constraint")
		})
	}
}

func TestTheSchemaRefusesImpossibleGapsRunsAndReports(t *testing.T) {
	for name, statement := range map[string]string{
		"a gap of no state":               `UPDATE gaps SET state = 'lost'`,
		"a gap of no kind":                `UPDATE gaps SET kind = 'odd'`,
		"closed at no time":               `UPDATE gaps SET state = 'closed', healed_by = 'poll'`,
		"closed by nobody":                `UPDATE gaps SET state = 'closed', closed_at = 1`,
		"open with a time of closing":     `UPDATE gaps SET closed_at = 1, healed_by = 'poll'`,
		"ignored by nobody":               `UPDATE gaps SET state = 'ignored', reason = 'settled'`,
		"ignored without a reason":        `UPDATE gaps SET state = 'ignored', ignored_by = 'ann'`,
		"a second live gap of one thing":  `INSERT INTO gaps SELECT 99, shop, order_id, erp, kind, subject, 'healing', about, cause, detail, found_by, run_id, since, first_seen, last_seen, 0, '', 0, '', '', 0, 0 FROM gaps`,
		"a step of no name":               `INSERT INTO gap_steps (gap_id, at, step, by, detail) VALUES (1, 0, 'odd', '', '')`,
		"a run of no kind":                `UPDATE runs SET kind = 'odd'`,
		"a run of no state":               `UPDATE runs SET state = 'odd'`,
		"a running run that has ended":    `UPDATE runs SET ended_at = 1`,
		"a run that is done at no time":   `UPDATE runs SET state = 'done'`,
		"the same run twice at once":      `INSERT INTO runs SELECT 99, shop, kind, state, by, from_at, to_at, heal, started_at, ended_at, done, total, found, data, note, lease_until, beside FROM runs`,
		"a report neither right nor off":  `UPDATE reports SET balanced = 2`,
		"one revision of a report, twice": `INSERT INTO reports SELECT * FROM reports`,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			noted(t, s, missing(1))
			require.NoError(t, s.BeginRun(t.Context(), &Run{Shop: "acme", Kind: RunReconcile, From: noon, To: noon.Add(time.Hour)}))
			require.NoError(t, s.SaveReport(t.Context(), &Report{Shop: "acme", Day: "2026-11-22", Content: []byte(`{}`)}))
			_, err := second(t, s.path).Exec(statement)
			require.ErrorContains(t, err, "constraint")
		})
	}
}

func TestTheSchemaTakesEachStateOfTheDrawing(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	other := second(t, s.path)
	for _, set := range []string{
		`state = 'sending', token = 'x'`,
		`state = 'delivered', token = '', held = wanted`,
		`state = 'unknown'`,
		`state = 'parked', reason = 'refused'`,
		`state = 'excluded', rule = 'test orders'`,
		`state = 'due'`,
	} {
		_, err := other.Exec(`UPDATE deliveries SET ` + set)
		require.NoError(t, err, set)
	}
}

func TestEveryTableIsStrict(t *testing.T) {
	s := open(t)
	rows, err := s.readers.QueryContext(t.Context(), `SELECT name, sql FROM sqlite_schema WHERE type = 'table'`)
	require.NoError(t, err)
	defer rows.Close()
	tables := 0
	for rows.Next() {
		var name, sql string
		require.NoError(t, rows.Scan(&name, &sql))
		require.Contains(t, sql[strings.LastIndex(sql, ")"):], "STRICT", name)
		tables++
	}
	require.NoError(t, rows.Err())
	require.NotZero(t, tables)
}

func TestTheSchemaRefusesImpossibleOffers(t *testing.T) {
	for name, statement := range map[string]string{
		"of no state":           `UPDATE offers SET state = 'odd'`,
		"taken at no time":      `UPDATE offers SET state = 'taken'`,
		"refused at no time":    `UPDATE offers SET state = 'refused'`,
		"half cancelled":        `UPDATE offers SET cancelled = 2`,
		"two of the same label": `INSERT INTO offers SELECT seq + 1, erp, ref, shop, order_id, version, label, hash, cancelled, state, offered_at, answered_at, erp_ref, total, currency FROM offers`,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			offered(t, s, offer(1, "1"))
			_, err := second(t, s.path).Exec(statement)
			require.ErrorContains(t, err, "constraint")
		})
	}
}
