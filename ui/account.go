package ui

import "net/http"

// accountPage is what a person sees of themselves.
type accountPage struct {
	Tabs     tabs
	Name     string
	RoleText string
	Password bool  // there is one: who logs in by a provider alone has none
	Code     bool  // a second factor is set up
	Recovery int64 // codes left that replace it
	Problem  string
}

// mine says that the demo's visitor, who logs in nowhere, has no account.
func (v *visit) mine() error {
	if v.person.session.ID == 0 {
		return pageError{http.StatusNotFound, "The demo has no accounts", "Everybody who opens it may look around. With gapless serve, people log in."}
	}
	return nil
}

func showAccount(v *visit) (view, error) { return v.account("") }

func (v *visit) account(problem string) (view, error) {
	if err := v.mine(); err != nil {
		return view{}, err
	}
	left, err := v.Store.RecoveryCodes(v.Context(), v.person.session.User)
	if err != nil {
		return view{}, err
	}
	p := accountPage{
		Tabs: v.settingsTabs(), Name: v.person.Name, RoleText: aRole(v.person.Role), Password: v.person.session.Password != "", Code: v.person.session.TOTP != "", Recovery: left, Problem: problem,
	}
	p.Tabs.mark("/settings/account")
	shown := view{template: "account", title: "Your account", body: p}
	if problem != "" {
		shown.status = http.StatusUnprocessableEntity
	}
	return shown, nil
}

// accountProblem shows the page with what is wrong, unless the reader can't help it.
func (v *visit) accountProblem(err error) (view, error) {
	said, err := saying(err)
	if err != nil {
		return view{}, err
	}
	return v.account(said)
}

func changePassword(v *visit) (view, error) {
	if err := v.mine(); err != nil {
		return view{}, err
	}
	if err := v.provePassword(v.PostFormValue("password")); err != nil {
		return v.accountProblem(err)
	}
	chosen := v.PostFormValue("new")
	if problem := unfit(chosen, v.person.Name); problem != "" {
		return v.account(problem)
	}
	if chosen != v.PostFormValue("again") {
		return v.account("The two new passwords differ.")
	}
	hash, err := v.passwords.hash(v.Context(), chosen)
	if err == nil {
		err = v.Store.SetPassword(v.Context(), v.person.session, hash)
	}
	return view{redirect: "/settings/account?did=password"}, err
}

// codePage sets a second factor up, and then shows the codes that may replace it.
type codePage struct {
	Tabs     tabs
	Setup    totpSetup
	Problem  string
	Recovery []string
}

// showCode shows a new secret. It is kept nowhere until it comes back with a
// code that was made of it.
func showCode(v *visit) (view, error) {
	if err := v.mine(); err != nil {
		return view{}, err
	}
	setup, err := newTOTP(v.person.Name)
	return v.code(codePage{Setup: setup}), err
}

func (v *visit) code(p codePage) view {
	p.Tabs = v.settingsTabs()
	p.Tabs.mark("/settings/account")
	shown := view{template: "code", title: "Log in with a code", body: p}
	if p.Problem != "" {
		shown.status = http.StatusUnprocessableEntity
	}
	return shown
}

func addCode(v *visit) (view, error) {
	if err := v.mine(); err != nil {
		return view{}, err
	}
	secret := v.PostFormValue("secret")
	setup, err := sameTOTP(v.person.Name, secret)
	if err != nil {
		return view{}, err
	}
	step, ok := matchTOTP(secret, v.PostFormValue("code"), v.now)
	if setup.Secret != secret || !ok {
		return v.code(codePage{Setup: setup, Problem: "That code does not fit. Scan the picture again, and give the code your app shows now."}), nil
	}
	if err := v.provePassword(v.PostFormValue("password")); err != nil {
		said, err := saying(err)
		return v.code(codePage{Setup: setup, Problem: said}), err
	}
	codes, kept := newRecoveryCodes(), []string{}
	for _, c := range codes {
		kept = append(kept, plainRecovery(c))
	}
	if err := v.Store.SetTOTP(v.Context(), v.person.session, secret, step, kept); err != nil {
		return view{}, err
	}
	return v.code(codePage{Recovery: codes}), nil
}

func removeCode(v *visit) (view, error) {
	if err := v.mine(); err != nil {
		return view{}, err
	}
	if err := v.provePassword(v.PostFormValue("password")); err != nil {
		return v.accountProblem(err)
	}
	return view{redirect: "/settings/account?did=plain"}, v.Store.DropTOTP(v.Context(), v.person.session)
}
