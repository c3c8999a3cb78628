package ui

import (
	"database/sql"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// changes are what admins can do to people and tokens.
var changes = []struct {
	path   string
	fields []string
	note   string
}{
	{"/settings/people", []string{"name", "kim", "role", "viewer"}, "ann: person added kim"},
	{"/settings/people/role", []string{"name", "bob", "role", "operator"}, "ann: role changed bob"},
	{"/settings/people/disable", []string{"name", "bob"}, "ann: person disabled bob"},
	{"/settings/people/enable", []string{"name", "bob"}, "ann: person enabled bob"},
	{"/settings/people/reset", []string{"name", "bob"}, "ann: reset link made bob"},
	{"/settings/people/remove", []string{"name", "bob"}, "ann: person removed bob"},
	{"/settings/tokens", []string{"name", "ops", "scope", "viewer"}, "ann: token added ops"},
	{"/settings/tokens/remove", []string{"name", "ops"}, "ann: token removed ops"},
}

func TestAnAdminLooksAfterPeopleAndTokens(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	b := s.visitor().logIn("ann")
	require.Contains(t, b.open("/settings/people").body, "bob")
	for _, c := range changes {
		a := b.send(c.path, c.fields...)
		require.Contains(t, []int{http.StatusOK, http.StatusSeeOther}, a.status, c.path)
		require.Equal(t, c.note, s.deeds("")[0])
		if to := a.header.Get("Location"); to != "" {
			require.Contains(t, b.open(to).body, `role="status"`, "the page says what was done")
		}
	}
}

func TestWhoIsAddedChoosesAPasswordByTheLink(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	admin := s.visitor().logIn("ann")
	link := admin.shownOnce(admin.send("/settings/people", "name", "Bob", "role", "operator"))
	require.NotContains(t, admin.open("/settings/people").body, link)
	require.Contains(t, admin.open("/settings/people").body, "has no password yet")
	again := admin.send("/settings/people", "name", "bob", "role", "operator")
	require.Equal(t, http.StatusUnprocessableEntity, again.status, "posted twice")
	require.Contains(t, again.body, "somebody named &#34;bob&#34; already")

	bob := s.visitor()
	bob.leadsTo(bob.send(link, "password", password, "again", password), "/")
	s.visitor().logIn("bob")

	newer := admin.shownOnce(admin.send("/settings/people/reset", "name", "bob"))
	newest := admin.shownOnce(admin.send("/settings/people/reset", "name", "bob"))
	require.Equal(t, http.StatusNotFound, bob.open(newer).status, "posted twice, the last one counts")
	require.Equal(t, http.StatusOK, bob.open(newest).status)
}

// peopleVisits are the pages of people, as an admin who logged in long ago sees
// them; LINK stands for a one-time link's secret.
var peopleVisits = []struct{ template, path string }{
	{"login", "/login"}, {"setup", "/setup/LINK"}, {"account", "/settings/account"}, {"code", "/settings/account/code"},
	{"people", "/settings/people"}, {"tokens", "/settings/tokens"}, {"audit", "/settings/audit"},
}

func TestEveryPageOfPeopleIsDrawn(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	link, err := s.store.AddUser(t.Context(), "bob", "viewer", "ann")
	require.NoError(t, err)
	_, err = s.store.AddToken(t.Context(), hostile, "viewer", hostile)
	require.NoError(t, err)
	b := s.visitor().logIn("ann")
	b.withCode()
	s.pass(store.SessionIdle - time.Minute)
	b.open("/")
	s.pass(store.SessionIdle - time.Minute)
	for _, visit := range peopleVisits {
		who := b
		if visit.template == "login" {
			who = s.visitor()
		}
		a := who.open(strings.Replace(visit.path, "LINK", link, 1))
		require.Equal(t, http.StatusOK, a.status, visit.path)
		require.Contains(t, a.body, "</html>")
		require.NotContains(t, a.body, "<script>alert", visit.path)
		require.NotContains(t, a.body, "ZgotmplZ", visit.path)
		require.NotRegexp(t, inline, stripped(a.body), visit.path)
		seen := map[string]bool{}
		for _, id := range duplicates.FindAllStringSubmatch(a.body, -1) {
			require.False(t, seen[id[1]], "%s: id %s twice", visit.path, id[1])
			seen[id[1]] = true
		}
		for _, field := range regexp.MustCompile(`<(?:input|select)[^>]* id="([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
			require.Contains(t, a.body, `for="`+field[1]+`"`, "%s: a field without a label", visit.path)
		}
	}
}

func TestFormsPostedTwiceDoNoHarm(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	b := s.visitor().logIn("ann")
	for _, c := range changes[1:] {
		if strings.HasSuffix(c.path, "/tokens") || strings.HasSuffix(c.path, "/reset") {
			continue // see where their secrets are shown
		}
		for range 2 {
			require.Equal(t, http.StatusSeeOther, b.send(c.path, c.fields...).status, c.path)
		}
	}
}

func TestWhatMayNotBeDoneToPeopleIsSaid(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	require.NoError(t, s.store.SetDisabled(t.Context(), "bob", true, "ann"))
	b := s.visitor().logIn("ann")
	for says, c := range map[string][]string{
		"the last admin":            {"/settings/people/remove", "name", "ann"},
		"This is the last admin":    {"/settings/people/disable", "name", "ann"},
		"make somebody else":        {"/settings/people/role", "name", "ann", "role", "viewer"},
		"Bob is disabled":           {"/settings/people/reset", "name", "bob"},
		"A name has":                {"/settings/people", "name", "no spaces", "role", "viewer"},
		"Choose what they may":      {"/settings/people", "name", "kim", "role", "emperor"},
		"viewer, operator or admin": {"/settings/people/role", "name", "bob", "role", "metrics"},
		"short name":                {"/settings/tokens", "name", " ", "scope", "viewer"},
		"Choose what the token may": {"/settings/tokens", "name", "x", "scope", "emperor"},
	} {
		a := b.send(c[0], c[1:]...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, c)
		require.Contains(t, a.body, says)
	}
}

// Who is at a screen that was left alone does not make admins.
func TestChangesNeedAPasswordThatWasGivenLately(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	b := s.visitor().logIn("ann")
	s.pass(7 * time.Hour)
	require.NotContains(t, b.open("/settings/people").body, "You logged in a while ago")
	s.pass(7 * time.Hour)
	require.Contains(t, b.open("/settings/people").body, "You logged in a while ago")
	for _, c := range changes {
		before := s.deeds("")
		for _, typed := range []string{"", "wrong"} {
			a := b.send(c.path, append(c.fields, "password", typed)...)
			require.Equal(t, http.StatusUnprocessableEntity, a.status, c.path)
			require.Contains(t, a.body, "role=\"alert\"")
		}
		require.Equal(t, before, s.deeds(""), "nothing was done")
	}
	require.Equal(t, http.StatusOK, b.send("/settings/people", "name", "kim", "role", "viewer", "password", password).status)
	require.Equal(t, http.StatusSeeOther, b.send("/settings/people/remove", "name", "kim").status, "once is enough")
}

func TestATokenIsShownOnce(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	b := s.visitor().logIn("ann")
	secret := b.shownOnce(b.send("/settings/tokens", "name", "ops <script>", "scope", "operator"))
	require.Equal(t, http.StatusOK, s.ask("GET", "/api/v1/stats", "", "Authorization", "Bearer "+secret).status)
	listed := b.open("/settings/tokens").body
	require.NotContains(t, listed, secret)
	require.Contains(t, listed, "ops &lt;script&gt;")
	require.NotContains(t, listed, "ops <script>")
	a := b.send("/settings/tokens", "name", "ops <script>", "scope", "operator")
	require.Equal(t, http.StatusUnprocessableEntity, a.status, "posted twice")
	require.Contains(t, a.body, "remove it first")
	b.leadsTo(b.send("/settings/tokens/remove", "name", "ops <script>"), "/settings/tokens?did=removed")
	require.Equal(t, http.StatusUnauthorized, s.ask("GET", "/api/v1/stats", "", "Authorization", "Bearer "+secret).status)
}

func TestEachRoleSeesItsPages(t *testing.T) {
	s := newSite(t)
	for _, role := range []string{"admin", "operator", "viewer"} {
		s.member(role+"1", role)
	}
	s.member("admin2", "admin")
	for _, role := range append([]string{""}, ranks...) {
		b := s.visitor()
		if role != "" {
			b.logIn(role + "1")
		}
		for _, route := range append(pageRoutes, peopleRoutes...) {
			if route.role == anybody || strings.ContainsAny(route.path, ":*") {
				continue
			}
			status := b.do(route.method, route.path, "", nil).status
			switch {
			case role == "":
				require.Equal(t, http.StatusSeeOther, status, route.path)
			case !ranked(role, route.role):
				require.Equal(t, http.StatusForbidden, status, "%s %s as %s", route.method, route.path, role)
			default:
				require.NotContains(t, []int{401, 403, 500, 503}, status, "%s %s as %s", route.method, route.path, role)
			}
		}
	}
}

// loggedIn is an admin's browser on a site with something of everything, and the
// addresses of all pages there.
func loggedIn(t *testing.T) (*visitor, []string) {
	t.Helper()
	s := newPages(t, func(o *Options) { o.Open = false })
	s.member("ann", "admin")
	link, err := s.store.ResetLink(t.Context(), "ann", "test")
	require.NoError(t, err)
	var all []string
	for _, visit := range slices.Concat(visits, peopleVisits) {
		all = append(all, strings.Replace(visit.path, "LINK", link, 1))
	}
	return s.visitor().logIn("ann"), all
}

func TestLookingChangesNothing(t *testing.T) {
	b, addresses := loggedIn(t)
	db, err := sql.Open("sqlite", "file:"+b.path+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	before := contents(t, db)
	for _, path := range addresses {
		b.pass(6 * time.Minute) // a visit is noted again
		b.open(path)
	}
	require.Equal(t, before, contents(t, db))
	b.send("/logout")
	require.NotEqual(t, before, contents(t, db))
}

// contents is all that a store holds, by table, but for when sessions were seen.
func contents(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range column(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`) {
		columns := column(t, db, `SELECT 'quote("' || name || '")' FROM pragma_table_info('`+table+`') WHERE name <> 'seen_at' OR '`+table+`' <> 'sessions'`)
		all[table] = strings.Join(column(t, db, `SELECT `+strings.Join(columns, " || ',' || ")+` FROM `+table), "\n")
	}
	return all
}

func column(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		all = append(all, one)
	}
	require.NoError(t, rows.Err())
	return all
}

func TestPagesAnswerWhileNothingCanBeWritten(t *testing.T) {
	b, addresses := loggedIn(t)
	db, err := sql.Open("sqlite", "file:"+b.path+"?_txlock=immediate")
	require.NoError(t, err)
	defer db.Close()
	b.pass(6 * time.Minute)
	lock, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Rollback()) }()
	for _, path := range addresses {
		require.Contains(t, []int{200, 303, 404}, b.open(path).status, path)
	}
}

func TestTheAuditLogIsShownPageByPage(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	b := s.visitor().logIn("ann")
	for range auditRows + 5 {
		s.visitor().logIn("ann")
		s.pass(lineEvery)
	}
	first := b.open("/settings/audit?who=ann").body
	require.Equal(t, auditRows, strings.Count(first, "<td>logged in</td>"))
	_, older, _ := strings.Cut(first, `href="/settings/audit?before=`)
	older, _, _ = strings.Cut(older, `"`)
	older = "/settings/audit?before=" + strings.ReplaceAll(older, "&amp;", "&")
	require.Equal(t, 6, strings.Count(b.open(older).body, "<td>logged in</td>"))
	require.Contains(t, b.open("/settings/audit?who=nobody").body, "Nothing here")
	for _, before := range []string{"x", "-1", "0", "99999999999999999999"} {
		require.Equal(t, http.StatusUnprocessableEntity, b.open("/settings/audit?before="+before).status)
	}
}

func TestADemoHasNoAccounts(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	b := s.visitor()
	require.Equal(t, http.StatusOK, b.open("/").status)
	require.Equal(t, http.StatusForbidden, b.open("/settings/people").status)
	require.Equal(t, http.StatusForbidden, b.send("/settings/tokens", "name", "x", "scope", "admin").status)
	for _, path := range []string{"/settings/account", "/settings/account/code"} {
		require.Contains(t, b.open(path).body, "The demo has no accounts")
	}
	for _, path := range []string{"/settings/account/password", "/settings/account/code", "/settings/account/code/remove"} {
		require.Equal(t, http.StatusNotFound, b.send(path, "password", password).status)
	}
}
