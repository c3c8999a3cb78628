package store

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// admin makes the first admin, by the set-up link.
func admin(t testing.TB, s *Store) User {
	t.Helper()
	link, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	u, err := s.UseLink(t.Context(), link, "ann", "hash of ann")
	require.NoError(t, err)
	return u
}

// member makes a person who has chosen a password.
func member(t testing.TB, s *Store, name, role string) User {
	t.Helper()
	link, err := s.AddUser(t.Context(), name, role, "ann")
	require.NoError(t, err)
	u, err := s.UseLink(t.Context(), link, "", "hash of "+name)
	require.NoError(t, err)
	return u
}

func loggedIn(t testing.TB, s *Store, u User) Session {
	t.Helper()
	secret, err := s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	session, err := s.FindSession(t.Context(), secret)
	require.NoError(t, err)
	return session
}

// deeds are what the audit log says, oldest first.
func deeds(t testing.TB, s *Store) (all []string) {
	t.Helper()
	log, err := s.AuditLog(t.Context(), AuditFilter{Limit: 100})
	require.NoError(t, err)
	for _, e := range log {
		require.Equal(t, s.now(), e.At)
		all = append([]string{e.Who + ": " + e.What + " " + e.About + " " + e.Detail}, all...)
	}
	return all
}

func TestTheFirstAdminComesByALinkThatWorksOnce(t *testing.T) {
	s := open(t)
	first, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	second, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	_, err = s.FindLink(t.Context(), first)
	require.ErrorIs(t, err, ErrNotFound, "a newer link replaces it")
	l, err := s.FindLink(t.Context(), second)
	require.NoError(t, err)
	require.Empty(t, l.Name)

	u, err := s.UseLink(t.Context(), second, "ann", "hash")
	require.NoError(t, err)
	require.Equal(t, User{ID: u.ID, Name: "ann", Role: "admin", Password: "hash", CreatedAt: noon}, u)
	_, err = s.UseLink(t.Context(), second, "eve", "hash")
	require.ErrorIs(t, err, ErrNotFound)
	none, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	require.Empty(t, none, "there is somebody")
	require.Equal(t, []string{"ann: first admin made ann by the set-up link"}, deeds(t, s))
}

func TestOfManyWhoUseOneLinkOneGetsIn(t *testing.T) {
	s := open(t)
	link, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	var in atomic.Int64
	var crowd sync.WaitGroup
	for _, name := range []string{"ann", "bob", "eve", "joe", "kim"} {
		crowd.Go(func() {
			if _, err := s.UseLink(t.Context(), link, name, "hash"); err == nil {
				in.Add(1)
			}
		})
	}
	crowd.Wait()
	require.Equal(t, int64(1), in.Load())
}

func TestALinkRunsOutAfterADay(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	link, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	c.at = noon.Add(LinkLife - time.Second)
	_, err = s.FindLink(t.Context(), link)
	require.NoError(t, err)
	c.at = noon.Add(LinkLife)
	_, err = s.FindLink(t.Context(), link)
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.UseLink(t.Context(), link, "ann", "hash")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestNoSecretOfAPersonIsKeptInClear(t *testing.T) {
	s := open(t, func(o *Options) { o.Key = key32(1) })
	link, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	u, err := s.UseLink(t.Context(), link, "ann", "hash")
	require.NoError(t, err)
	secret, err := s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	session, err := s.FindSession(t.Context(), secret)
	require.NoError(t, err)
	require.NoError(t, s.SetTOTP(t.Context(), session, "JBSWY3DPEHPK3PXP", 1, []string{"recovery-code"}))
	u, err = s.FindUser(t.Context(), "ann")
	require.NoError(t, err)
	require.Equal(t, "JBSWY3DPEHPK3PXP", u.TOTP)
	wal, err := os.ReadFile(s.path + "-wal")
	require.NoError(t, err)
	require.True(t, bytes.Contains(wal, []byte("first admin made")), "the log is where it is looked for")
	for _, text := range []string{link, secret, "JBSWY3DPEHPK3PXP", "recovery-code"} {
		require.False(t, bytes.Contains(wal, []byte(text)), text)
	}
}

func TestASessionEndsWhenIdleAndInAnyCaseAfterAWeek(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	u := admin(t, s)
	secret, err := s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	found := func() error {
		session, err := s.FindSession(t.Context(), secret)
		if err == nil {
			s.SeenSession(session)
		}
		return err
	}
	for c.at.Before(noon.Add(SessionLife - SessionIdle/2)) {
		require.NoError(t, found())
		c.at = c.at.Add(SessionIdle - time.Minute)
	}
	c.at = noon.Add(SessionLife)
	require.ErrorIs(t, found(), ErrNotFound, "after a week")

	secret, err = s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	c.at = c.at.Add(SessionIdle)
	require.ErrorIs(t, found(), ErrNotFound, "idle")
	_, err = s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	require.Equal(t, 2, one[int](t, s.readers, `SELECT count(*) FROM sessions`), "the one that ran out is forgotten; the idle one is, later")
}

func TestASightingCountsAtOnceAndIsWrittenOnceItCanBe(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	u := admin(t, s)
	secret, err := s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	session, err := s.FindSession(t.Context(), secret)
	require.NoError(t, err)
	other := second(t, s.path)
	_, err = other.ExecContext(t.Context(), `CREATE TRIGGER refuse UPDATE ON sessions BEGIN SELECT raise(ABORT, 'no'); END`)
	require.NoError(t, err)
	written := func() time.Time { return timeOf(one[int64](t, other, `SELECT seen_at FROM sessions`)) }

	c.at = noon.Add(SessionIdle - time.Minute)
	s.SeenSession(session)
	s.tally.flush()
	require.Equal(t, noon, written(), "the writer failed")
	c.at = c.at.Add(SessionIdle - time.Minute)
	session, err = s.FindSession(t.Context(), secret)
	require.NoError(t, err, "it counts all the same")
	require.Equal(t, noon.Add(SessionIdle-time.Minute), session.SeenAt)

	_, err = other.ExecContext(t.Context(), `DROP TRIGGER refuse`)
	require.NoError(t, err)
	s.tally.flush()
	require.Equal(t, session.SeenAt, written())
	require.Empty(t, s.tally.seen)
}

func TestLoggingInEndsTheSessionTheBrowserHad(t *testing.T) {
	s := open(t)
	u := admin(t, s)
	before, err := s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	after, err := s.LogIn(t.Context(), u, "203.0.113.7", before)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	_, err = s.FindSession(t.Context(), before)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestNobodyLogsInWithAPasswordThatWasChangedMeanwhile(t *testing.T) {
	s := open(t)
	admin(t, s)
	asChecked := member(t, s, "bob", "viewer")
	link, err := s.ResetLink(t.Context(), "bob", "ann")
	require.NoError(t, err)
	_, err = s.UseLink(t.Context(), link, "", "another hash")
	require.NoError(t, err)
	_, err = s.LogIn(t.Context(), asChecked, "203.0.113.7", "")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestWhatChangesAPersonEndsTheirSessions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *Store, own Session) error
		own    bool // the session that asked goes on
	}{
		"role":        {func(s *Store, _ Session) error { return s.SetRole(t.Context(), "bob", "operator", "ann") }, false},
		"disabled":    {func(s *Store, _ Session) error { return s.SetDisabled(t.Context(), "bob", true, "ann") }, false},
		"removed":     {func(s *Store, _ Session) error { return s.RemoveUser(t.Context(), "bob", "ann") }, false},
		"password":    {func(s *Store, own Session) error { return s.SetPassword(t.Context(), own, "new") }, true},
		"second step": {func(s *Store, own Session) error { return s.SetTOTP(t.Context(), own, "x", 1, nil) }, true},
		"reset": {func(s *Store, _ Session) error {
			link, err := s.ResetLink(t.Context(), "bob", "ann")
			if err == nil {
				_, err = s.UseLink(t.Context(), link, "", "new")
			}
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			ann := loggedIn(t, s, admin(t, s))
			bob := member(t, s, "bob", "viewer")
			own, other := loggedIn(t, s, bob), loggedIn(t, s, bob)
			require.NoError(t, c.change(s, own))
			lives := func(id int64) bool {
				return one[bool](t, s.readers, `SELECT EXISTS (SELECT 1 FROM sessions WHERE id = $1)`, id)
			}
			require.Equal(t, c.own, lives(own.ID))
			require.False(t, lives(other.ID))
			require.True(t, lives(ann.ID), "of somebody else")
		})
	}
}

func TestTheSameRoleAgainEndsNothing(t *testing.T) {
	s := open(t)
	own := loggedIn(t, s, admin(t, s))
	require.NoError(t, s.SetRole(t.Context(), "ann", "admin", "ann"))
	require.True(t, one[bool](t, s.readers, `SELECT EXISTS (SELECT 1 FROM sessions WHERE id = $1)`, own.ID))
}

func TestOneAdminRemains(t *testing.T) {
	s := open(t)
	admin(t, s)
	_, err := s.AddUser(t.Context(), "eve", "admin", "ann") // who has no password yet
	require.NoError(t, err)
	changes := map[string]func() error{
		"role":     func() error { return s.SetRole(t.Context(), "ann", "viewer", "ann") },
		"disabled": func() error { return s.SetDisabled(t.Context(), "ann", true, "ann") },
		"removed":  func() error { return s.RemoveUser(t.Context(), "ann", "ann") },
	}
	for name, change := range changes {
		require.ErrorIs(t, change(), ErrLastAdmin, name)
	}
	u, err := s.FindUser(t.Context(), "ann")
	require.NoError(t, err)
	require.Equal(t, "admin", u.Role, "nothing of it was done")
	member(t, s, "bob", "admin")
	require.NoError(t, changes["removed"]())
	_, err = s.FindUser(t.Context(), "ann")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestWhoIsDisabledHasNoSessionAndNoLink(t *testing.T) {
	s := open(t)
	admin(t, s)
	bob := member(t, s, "bob", "viewer")
	link, err := s.ResetLink(t.Context(), "bob", "ann")
	require.NoError(t, err)
	require.NoError(t, s.SetDisabled(t.Context(), "bob", true, "ann"))
	_, err = s.LogIn(t.Context(), bob, "203.0.113.7", "")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.UseLink(t.Context(), link, "", "new")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.ResetLink(t.Context(), "bob", "ann")
	require.ErrorContains(t, err, "enable them first")
	require.NoError(t, s.SetDisabled(t.Context(), "bob", false, "ann"))
	_, err = s.LogIn(t.Context(), bob, "203.0.113.7", "")
	require.NoError(t, err)
}

func TestACodeIsTakenOnce(t *testing.T) {
	s := open(t)
	u := admin(t, s)
	session := loggedIn(t, s, u)
	require.NoError(t, s.SetTOTP(t.Context(), session, "secret", 5, []string{"a", "b"}))
	for _, step := range []struct {
		n     int64
		fresh bool
	}{{5, false}, {6, true}, {6, false}, {4, false}, {8, true}, {7, false}} {
		fresh, err := s.TakeTOTP(t.Context(), u, step.n)
		require.NoError(t, err)
		require.Equal(t, step.fresh, fresh, step.n)
	}
	for _, code := range []struct {
		text  string
		taken bool
	}{{"a", true}, {"a", false}, {"c", false}, {"", false}, {"b", true}} {
		taken, err := s.TakeRecoveryCode(t.Context(), u, code.text)
		require.NoError(t, err)
		require.Equal(t, code.taken, taken, code.text)
	}
	left, err := s.RecoveryCodes(t.Context(), u)
	require.NoError(t, err)
	require.Zero(t, left)
}

func TestAPlaceIsKnownToWhoLoggedInThere(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	loggedIn(t, s, admin(t, s))
	bob := member(t, s, "bob", "viewer")
	knows := func(name, address string) bool {
		known, err := s.KnowsPlace(t.Context(), name, address)
		require.NoError(t, err)
		return known
	}
	require.True(t, knows("ann", "203.0.113.7"))
	require.False(t, knows("ann", "203.0.113.8"))
	require.False(t, knows("bob", "203.0.113.7"))
	require.False(t, knows("nobody", "203.0.113.7"))
	c.at = noon.Add(placeLife)
	loggedIn(t, s, bob)
	require.False(t, knows("ann", "203.0.113.7"), "long ago")
}

func TestTheAuditLogSaysWhoDidWhat(t *testing.T) {
	s := open(t)
	ann := admin(t, s)
	member(t, s, "bob", "viewer")
	session := loggedIn(t, s, ann)
	require.NoError(t, s.SetRole(t.Context(), "bob", "operator", "ann"))
	require.ErrorIs(t, s.SetRole(t.Context(), "nobody", "operator", "ann"), ErrNotFound)
	require.NoError(t, s.RemoveUser(t.Context(), "bob", "ann"))
	_, err := s.AddToken(t.Context(), "ops", "viewer", "the command line")
	require.NoError(t, err)
	require.NoError(t, s.RemoveToken(t.Context(), "ops", "ann"))
	require.NoError(t, s.LogOut(t.Context(), session))
	require.Equal(t, []string{
		"ann: first admin made ann by the set-up link", "ann: person added bob role viewer", "bob: password chosen bob by a one-time link",
		"ann: logged in ann from 203.0.113.7", "ann: role changed bob role operator", "ann: person removed bob ", "the command line: token added ops scope viewer",
		"ann: token removed ops ", "ann: logged out ann ",
	}, deeds(t, s))

	of, err := s.AuditLog(t.Context(), AuditFilter{Who: "ann", Before: 8, Limit: 2})
	require.NoError(t, err)
	require.Len(t, of, 2)
	require.Equal(t, []string{"person removed", "role changed"}, []string{of[0].What, of[1].What})
}

func TestNamesAreOneEach(t *testing.T) {
	s := open(t)
	admin(t, s)
	for name, says := range map[string]string{"ann": "there is somebody named", "Bob": "constraint", "BOB": "constraint", "": "constraint"} {
		_, err := s.AddUser(t.Context(), name, "viewer", "ann")
		require.ErrorContains(t, err, says, name)
	}
	_, err := s.AddUser(t.Context(), "bob", "emperor", "ann")
	require.ErrorContains(t, err, "constraint")
}

// What was ended after the backup must not live again.
func TestNoSessionAndNoLinkComesBackWithABackup(t *testing.T) {
	s := open(t)
	u := admin(t, s)
	secret, err := s.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
	link, err := s.AddUser(t.Context(), "bob", "viewer", "ann")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(t.Context(), path))
	_, err = s.FindSession(t.Context(), secret)
	require.NoError(t, err, "a backup ends nothing")

	restored := open(t, at(path))
	_, err = restored.FindSession(t.Context(), secret)
	require.ErrorIs(t, err, ErrNotFound)
	_, err = restored.FindLink(t.Context(), link)
	require.ErrorIs(t, err, ErrNotFound)
	_, err = restored.LogIn(t.Context(), u, "203.0.113.7", "")
	require.NoError(t, err)
}
