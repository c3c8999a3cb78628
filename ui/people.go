package ui

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"gapless/store"
)

// anybody is the role of routes that need no log-in.
const anybody = ""

// peopleRoutes are the pages by which people log in and are looked after.
var peopleRoutes = []pageRoute{
	{"GET", "/login", anybody, showLogin},
	{"POST", "/login", anybody, logIn},
	{"GET", oidcPath, anybody, leaveForOIDC},
	{"GET", oidcCallback, anybody, backFromOIDC},
	{"POST", "/logout", anybody, logOut},
	{"GET", "/setup/:token", anybody, showSetup},
	{"POST", "/setup/:token", anybody, setUp},
	{"GET", "/settings/account", "viewer", showAccount},
	{"POST", "/settings/account/password", "viewer", changePassword},
	{"GET", "/settings/account/code", "viewer", showCode},
	{"POST", "/settings/account/code", "viewer", addCode},
	{"POST", "/settings/account/code/remove", "viewer", removeCode},
	{"GET", "/settings/people", "admin", showPeople},
	{"POST", "/settings/people", "admin", addPerson},
	{"POST", "/settings/people/role", "admin", changeRole},
	{"POST", "/settings/people/disable", "admin", disablePerson},
	{"POST", "/settings/people/enable", "admin", enablePerson},
	{"POST", "/settings/people/reset", "admin", resetPerson},
	{"POST", "/settings/people/remove", "admin", removePerson},
	{"GET", "/settings/tokens", "admin", showTokens},
	{"POST", "/settings/tokens", "admin", addToken},
	{"POST", "/settings/tokens/remove", "admin", removeToken},
	{"GET", "/settings/audit", "admin", showAudit},
}

// settingsTabs are the pages of the settings that a person may see.
func (v *visit) settingsTabs() tabs {
	t := tabs{Label: "Settings"}
	for _, one := range []struct{ role, url, label string }{
		{"viewer", "/settings", "Settings"}, {"viewer", "/settings/account", "Your account"},
		{"admin", "/settings/people", "People"}, {"admin", "/settings/tokens", "API tokens"}, {"admin", "/settings/audit", "Audit log"},
	} {
		if v.may(one.role) {
			t.Tabs = append(t.Tabs, tab{one.label, one.url, v.URL.Path == one.url})
		}
	}
	return t
}

// peoplePage is what the page of people shows.
type peoplePage struct {
	Tabs    tabs
	People  []personRow
	Link    *shownLink
	Name    string // as it was typed
	Role    string
	Problem string
	Confirm bool // the password has to be given
}

type personRow struct {
	Name, Role     string
	Self, Disabled bool
	Bound          bool // has logged in by a provider
	Invited        bool // has not chosen a password yet
	Code           bool // has a second factor
	Seen           *moment
}

// shownLink is a one-time link, which is shown this once.
type shownLink struct{ Name, URL string }

func showPeople(v *visit) (view, error) { return v.people(peoplePage{Role: "viewer"}) }

func (v *visit) people(p peoplePage) (view, error) {
	users, err := v.Store.Users(v.Context())
	if err != nil {
		return view{}, err
	}
	zone, err := v.houseClock()
	if err != nil {
		return view{}, err
	}
	p.Tabs, p.Confirm = v.settingsTabs(), v.asksPassword()
	p.Tabs.mark("/settings/people")
	for _, u := range users {
		p.People = append(p.People, personRow{
			Name: u.Name, Role: u.Role, Self: u.Name == v.person.Name, Disabled: !u.DisabledAt.IsZero(), Bound: u.Bound, Invited: u.Password == "" && !u.Bound, Code: u.TOTP != "", Seen: zone.at(u.SeenAt),
		})
	}
	shown := view{template: "people", title: "People", body: p}
	if p.Problem != "" {
		shown.status = http.StatusUnprocessableEntity
	}
	return shown, nil
}

// mark makes a page the current one, whatever the address: a form's answer has
// one of its own.
func (t *tabs) mark(url string) {
	for i := range t.Tabs {
		t.Tabs[i].Current = t.Tabs[i].URL == url
	}
}

// houseClock is the first shop's, for what belongs to no shop.
func (v *visit) houseClock() (clock, error) {
	of, err := v.clocks()
	if err != nil {
		return clock{}, err
	}
	return of(slices.Concat(v.Shops, []string{""})[0]), nil
}

var loginNames = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

// LoginName is a name as it is kept: people type it with capitals now and then.
// The error says what a name may be.
func LoginName(typed string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(typed))
	if !loginNames.MatchString(name) {
		return name, store.Declined("a name has a-z, 0-9 and . _ @ + - in it, at most 64, a letter or digit first; an e-mail address does well")
	}
	return name, nil
}

func addPerson(v *visit) (view, error) {
	p := peoplePage{Name: v.PostFormValue("name"), Role: v.PostFormValue("role")}
	name, err := LoginName(p.Name)
	if err == nil && !slices.Contains(ranks, p.Role) {
		err = store.Declined("choose what they may do")
	}
	if err == nil {
		err = v.confirm()
	}
	var link string
	if err == nil {
		link, err = v.Store.AddUser(v.Context(), name, p.Role, v.person.Name)
	}
	if err != nil {
		return v.peopleProblem(p, err)
	}
	return v.people(peoplePage{Role: "viewer", Link: &shownLink{name, v.here("/setup/" + link)}})
}

// here is an address of this server as the browser reaches it.
func (v *visit) here(path string) string {
	if withoutTLS(v.Request) {
		return "http://" + v.Host + path
	}
	return "https://" + v.Host + path
}

// peopleProblem shows the page again with what is wrong, unless the reader can't
// help it.
func (v *visit) peopleProblem(p peoplePage, err error) (view, error) {
	said, err := saying(err)
	if err != nil {
		return view{}, err
	}
	p.Problem = said
	return v.people(p)
}

// changePerson runs one change of the person that the form names.
func (v *visit) changePerson(did string, change func(name string) error) (view, error) {
	err := v.confirm()
	if err == nil {
		err = change(v.PostFormValue("name"))
	}
	if errors.Is(err, store.ErrNotFound) {
		return view{redirect: "/settings/people"}, nil // somebody has removed them meanwhile
	}
	if err != nil {
		return v.peopleProblem(peoplePage{Role: "viewer"}, err)
	}
	return view{redirect: "/settings/people?did=" + did}, nil
}

func changeRole(v *visit) (view, error) {
	role := v.PostFormValue("role")
	if !slices.Contains(ranks, role) {
		return view{}, wrongInput("Choose viewer, operator or admin.")
	}
	return v.changePerson("role", func(name string) error { return v.Store.SetRole(v.Context(), name, role, v.person.Name) })
}

func disablePerson(v *visit) (view, error) {
	return v.changePerson("disabled", func(name string) error { return v.Store.SetDisabled(v.Context(), name, true, v.person.Name) })
}

func enablePerson(v *visit) (view, error) {
	return v.changePerson("enabled", func(name string) error { return v.Store.SetDisabled(v.Context(), name, false, v.person.Name) })
}

func removePerson(v *visit) (view, error) {
	return v.changePerson("removed", func(name string) error { return v.Store.RemoveUser(v.Context(), name, v.person.Name) })
}

func resetPerson(v *visit) (view, error) {
	var link string
	shown, err := v.changePerson("", func(name string) (err error) {
		link, err = v.Store.ResetLink(v.Context(), name, v.person.Name)
		return err
	})
	if err != nil || link == "" {
		return shown, err
	}
	return v.people(peoplePage{Role: "viewer", Link: &shownLink{v.PostFormValue("name"), v.here("/setup/" + link)}})
}

// stepUp is how long a log-in, or a password that was given again, counts for
// changes of people and tokens.
const stepUp = 12 * time.Hour

// fresh says that who they are was proved not long ago.
func (v *visit) fresh() bool { return v.now.Sub(v.person.session.ConfirmedAt) < stepUp }

// asksPassword says that changes need the password again. Who logs in by a
// provider alone has none, and proves it by logging in anew.
func (v *visit) asksPassword() bool { return !v.fresh() && v.person.session.Password != "" }

// confirm lets on only who has proved who they are not long ago, or gives their
// password now.
func (v *visit) confirm() error {
	if v.fresh() {
		return nil
	}
	if v.person.session.Password == "" {
		return denial{what: "You logged in a while ago. Log out and in again, and then change this."}
	}
	if err := v.provePassword(v.PostFormValue("password")); err != nil {
		return err
	}
	return v.Store.ConfirmSession(v.Context(), v.person.session)
}

// provePassword checks the password of who is logged in already.
func (v *visit) provePassword(typed string) error {
	u, address := v.person.session.User, clientAddress(v.Request)
	if typed == "" {
		return denial{what: "Give your password too: you logged in a while ago."}
	}
	if err := v.slow(v.Context(), true, u.Name, address); err != nil {
		return err
	}
	right, err := v.passwords.check(v.Context(), true, typed, u.Password)
	if err == nil && !right {
		err = denial{what: "That is not your password."}
	}
	if err == nil {
		v.throttle.forgive(u.Name, address)
	}
	return err
}

// saying is an error in words for a form, where whoever filled it in can help it.
func saying(err error) (string, error) {
	var said denial
	var declined store.Declined
	switch {
	case errors.As(err, &said):
		return said.what, nil
	case errors.As(err, &declined):
		return strings.ToUpper(string(declined[:1])) + string(declined[1:]) + ".", nil
	}
	return "", err
}
