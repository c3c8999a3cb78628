package ui

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

func TestChangingThePasswordLogsOutEverywhereElse(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	here, there := s.visitor().logIn("ann"), s.visitor().logIn("ann")
	const chosen = "five words in a new row"
	for says, fields := range map[string][]string{
		"not your password": {"password", "wrong", "new", chosen, "again", chosen},
		"at least 12":       {"password", password, "new", "short", "again", "short"},
		"differ":            {"password", password, "new", chosen, "again", chosen + "x"},
		"too long":          {"password", password, "new", string(make([]byte, 2000)), "again", ""},
		"Give your":         {"new", chosen, "again", chosen},
	} {
		a := here.send("/settings/account/password", fields...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		require.Contains(t, a.body, says)
	}
	require.Equal(t, http.StatusOK, there.open("/").status)
	here.leadsTo(here.send("/settings/account/password", "password", password, "new", chosen, "again", chosen), "/settings/account?did=password")
	require.Equal(t, http.StatusOK, here.open("/").status)
	there.leadsTo(there.open("/"), "/login")
	require.Equal(t, http.StatusUnauthorized, s.visitor().send("/login", "name", "ann", "password", password).status)
	require.Equal(t, http.StatusUnprocessableEntity, here.send("/settings/account/password", "password", password, "new", chosen, "again", chosen).status, "posted twice")
}

// withCode sets a second factor up, and returns its secret and the codes that
// replace it.
func (b *visitor) withCode() (secret string, recovery []string) {
	b.Helper()
	shown := b.open("/settings/account/code").body
	secret = regexp.MustCompile(`name="secret" value="([A-Z2-7]{32})"`).FindStringSubmatch(shown)[1]
	require.Contains(b, shown, `src="data:image/png;base64,`)
	a := b.send("/settings/account/code", "secret", secret, "code", b.code(secret, 0), "password", password)
	require.Equal(b, http.StatusOK, a.status)
	for _, found := range regexp.MustCompile(`<li>([a-z2-7-]{19})</li>`).FindAllStringSubmatch(a.body, -1) {
		recovery = append(recovery, found[1])
	}
	require.Len(b, recovery, recoveryCodes)
	return secret, recovery
}

// code is what the app shows, so many steps from now.
func (b *visitor) code(secret string, steps int) string {
	code, err := totp.GenerateCode(secret, b.now().Add(time.Duration(steps)*totpPeriod))
	require.NoError(b, err)
	return code
}

func TestLoggingInWithACode(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	b, other := s.visitor().logIn("ann"), s.visitor().logIn("ann")
	secret, recovery := b.withCode()
	other.leadsTo(other.open("/"), "/login")
	try := func(code string) int {
		return s.visitor().send("/login", "name", "ann", "password", password, "code", code).status
	}
	in, out := http.StatusSeeOther, http.StatusUnauthorized
	require.Equal(t, out, try(""), "the password alone")
	require.Equal(t, out, try(b.code(secret, 0)), "the code that set it up was used")
	require.Equal(t, in, try(b.code(secret, 1)), "a clock that is ahead")
	require.Equal(t, out, try(b.code(secret, 1)), "used")
	require.Equal(t, out, try(b.code(secret, 2)), "too far ahead")
	s.pass(totpPeriod * 4)
	require.Equal(t, out, try(b.code(secret, -2)), "too old")
	require.Equal(t, in, try(b.code(secret, -1)), "a clock that is behind")
	s.pass(10 * time.Minute)
	require.Equal(t, in, try(" "+b.code(secret, 0)[:3]+" "+b.code(secret, 0)[3:]), "as apps show it")
	require.Equal(t, out, try("000000"))
	require.Equal(t, out, s.visitor().send("/login", "name", "ann", "password", "wrong", "code", recovery[0]).status)
	require.Equal(t, in, try(" "+recovery[0]+" "), "it was not used up by a wrong password")
	require.Equal(t, out, try(recovery[0]), "once")
	require.Contains(t, b.open("/settings/account").body, "9 recovery codes left")
	s.pass(10 * time.Minute)

	// Made anew, the old ones are worth nothing.
	newer, _ := b.withCode()
	s.pass(10 * time.Minute)
	require.Equal(t, out, try(b.code(secret, 0)))
	require.Equal(t, out, try(recovery[1]))
	require.Equal(t, in, try(b.code(newer, 0)))

	require.Equal(t, http.StatusUnprocessableEntity, b.send("/settings/account/code/remove", "password", "wrong").status)
	b.leadsTo(b.send("/settings/account/code/remove", "password", password), "/settings/account?did=plain")
	require.Equal(t, in, try(""))
}

func TestACodeThatDoesNotFitSetsNothingUp(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	b := s.visitor().logIn("ann")
	shown := b.open("/settings/account/code").body
	secret := regexp.MustCompile(`name="secret" value="([A-Z2-7]{32})"`).FindStringSubmatch(shown)[1]
	weak := "GEZDGNBV"
	for name, fields := range map[string][]string{
		"a wrong code":     {"secret", secret, "code", "000000", "password", password},
		"a weak secret":    {"secret", weak, "code", b.code(weak, 0), "password", password},
		"no secret":        {"code", "000000", "password", password},
		"a broken secret":  {"secret", "<script>alert(1)</script>", "code", "000000", "password", password},
		"a wrong password": {"secret", secret, "code", b.code(secret, 0), "password", "wrong"},
	} {
		a := b.send("/settings/account/code", fields...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, name)
		require.NotContains(t, a.body, "<script>alert", name)
	}
	s.visitor().logIn("ann")
}

func TestALostPhoneIsMendedByALink(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.visitor().logIn("ann").withCode()
	link, err := s.store.ResetLink(t.Context(), "ann", "the command line")
	require.NoError(t, err)
	b := s.visitor()
	b.leadsTo(b.send("/setup/"+link, "password", password, "again", password), "/")
	s.visitor().logIn("ann")
}
