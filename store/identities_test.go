package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

const issuer = "https://login.example.com"

// comesBy logs a subject in by the provider, under a name.
func comesBy(t testing.TB, s *Store, subject, name, role string) (User, error) {
	t.Helper()
	u, secret, err := s.LogInAs(t.Context(), Identity{issuer, subject, name}, role, "203.0.113.7", "")
	if err != nil {
		require.Empty(t, secret)
		return u, err
	}
	session, err := s.FindSession(t.Context(), secret)
	require.NoError(t, err)
	require.Equal(t, u.ID, session.User.ID)
	return session.User, nil
}

func TestALogInByAProviderBindsTheSubject(t *testing.T) {
	s := open(t)
	admin(t, s)
	bob := member(t, s, "bob", "operator")
	require.False(t, bob.Bound)
	u, err := comesBy(t, s, "17", "bob", "viewer")
	require.NoError(t, err)
	require.Equal(t, []any{bob.ID, "operator", true}, []any{u.ID, u.Role, u.Bound})
	require.Equal(t, []string{
		"bob: bound to a provider bob " + issuer + " as 17", "bob: logged in bob by " + issuer + " from 203.0.113.7",
	}, deeds(t, s)[3:])

	for _, name := range []string{"bob", "ann", "nobody"} {
		u, err = comesBy(t, s, "17", name, "")
		require.NoError(t, err)
		require.Equal(t, bob.ID, u.ID, "whatever the subject is called now")
	}
	u, err = comesBy(t, s, "18", "bob", "viewer")
	require.ErrorIs(t, err, ErrOtherSubject)
	require.Equal(t, "bob", u.Name)
	_, _, err = s.LogInAs(t.Context(), Identity{"https://other.example.com", "17", "ann"}, "", "203.0.113.7", "")
	require.NoError(t, err, "a subject is its issuer's alone")
	require.Equal(t, 2, one[int](t, s.readers, `SELECT count(*) FROM identities`))
}

// What the clock asks for may do more than what a person asks for.
func TestNobodyHasTheNameOfTheSchedule(t *testing.T) {
	s := open(t)
	link, err := s.SetupLink(t.Context())
	require.NoError(t, err)
	_, err = s.UseLink(t.Context(), link, BySchedule, "hash")
	require.ErrorContains(t, err, "choose another name")
	admin(t, s)
	_, err = s.AddUser(t.Context(), BySchedule, "operator", "ann")
	require.ErrorContains(t, err, "choose another name")
	_, err = comesBy(t, s, "17", BySchedule, "viewer")
	require.ErrorContains(t, err, "choose another name")
}

func TestOfManyWhoBearANameOneIsBound(t *testing.T) {
	s := open(t)
	admin(t, s)
	member(t, s, "bob", "viewer")
	var in, refused atomic.Int64
	var crowd sync.WaitGroup
	for i := range 8 {
		crowd.Go(func() {
			switch _, _, err := s.LogInAs(t.Context(), Identity{issuer, fmt.Sprint(i), "bob"}, "", "203.0.113.7", ""); {
			case err == nil:
				in.Add(1)
			case errors.Is(err, ErrOtherSubject):
				refused.Add(1)
			}
		})
	}
	crowd.Wait()
	require.Equal(t, []int64{1, 7}, []int64{in.Load(), refused.Load()})
}

func TestWhomAProviderDoesNotLetIn(t *testing.T) {
	s := open(t)
	_, err := comesBy(t, s, "1", "eve", "operator")
	require.ErrorIs(t, err, ErrNoAdmin)
	admin(t, s)
	_, err = comesBy(t, s, "1", "eve", "")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = comesBy(t, s, "1", "Eve", "viewer")
	require.ErrorContains(t, err, "constraint", "a name that nobody can have")
	_, err = comesBy(t, s, "1", "eve", "emperor")
	require.ErrorContains(t, err, "constraint")

	for _, bound := range []bool{false, true} {
		name := fmt.Sprint("bob-", bound)
		member(t, s, name, "viewer")
		if bound {
			_, err = comesBy(t, s, name, name, "")
			require.NoError(t, err)
		}
		require.NoError(t, s.SetDisabled(t.Context(), name, true, "ann"))
		u, err := comesBy(t, s, name, name, "viewer")
		require.ErrorIs(t, err, ErrDisabled)
		require.Equal(t, name, u.Name)
		u, err = s.FindUser(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, bound, u.Bound, "what fails binds nobody")
	}
	require.Equal(t, 3, one[int](t, s.readers, `SELECT count(*) FROM people`))
}

func TestANewcomerHasTheRoleAndNoPassword(t *testing.T) {
	s := open(t)
	admin(t, s)
	u, err := comesBy(t, s, "1", "eve", "viewer")
	require.NoError(t, err)
	require.Equal(t, []any{"eve", "viewer", "", true}, []any{u.Name, u.Role, u.Password, u.Bound})
	require.Equal(t, "eve: person added eve role viewer, by "+issuer, deeds(t, s)[1])
	require.NoError(t, s.SetRole(t.Context(), "eve", "admin", "ann"))
	require.ErrorIs(t, s.RemoveUser(t.Context(), "ann", "eve"), ErrLastAdmin, "somebody must get in when the provider is down")
}

// Somebody who left must not be found again by what the provider said once.
func TestWhatUnbindsAPerson(t *testing.T) {
	for name, unbind := range map[string]func(s *Store) error{
		"a link that was used": func(s *Store) error {
			link, err := s.ResetLink(t.Context(), "bob", "ann")
			if err == nil {
				_, err = s.UseLink(t.Context(), link, "", "another hash")
			}
			return err
		},
		"removed, and added anew": func(s *Store) error {
			err := s.RemoveUser(t.Context(), "bob", "ann")
			member(t, s, "bob", "viewer")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			admin(t, s)
			member(t, s, "bob", "viewer")
			_, err := comesBy(t, s, "1", "bob", "")
			require.NoError(t, err)
			require.NoError(t, unbind(s))
			_, err = comesBy(t, s, "1", "bobby", "")
			require.ErrorIs(t, err, ErrNotFound)
			_, err = comesBy(t, s, "2", "bob", "")
			require.NoError(t, err)
		})
	}
}

func TestABackupKeepsWhoIsBound(t *testing.T) {
	s := open(t)
	admin(t, s)
	_, err := comesBy(t, s, "1", "ann", "")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(t.Context(), path))
	restored := open(t, at(path))
	_, err = comesBy(t, restored, "2", "ann", "")
	require.ErrorIs(t, err, ErrOtherSubject)
	_, err = comesBy(t, restored, "1", "ann", "")
	require.NoError(t, err)
}
