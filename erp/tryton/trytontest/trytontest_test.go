package trytontest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/erp/tryton/trytontest"
)

// TestStart: both users of the server that Start promises may log in.
func TestStart(t *testing.T) {
	s := trytontest.Start(t)
	require.Equal(t, s, trytontest.Start(t), "one server a process")
	login(t, s, s.User, s.Password)
	login(t, s, s.AdminUser, s.AdminPassword)
}

func login(t *testing.T, s trytontest.Server, user, password string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"id": 1, "method": "common.db.login",
		"params": []any{user, map[string]string{"password": password}, "en"},
	})
	require.NoError(t, err)
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/"+s.Database+"/", bytes.NewReader(body))
	require.NoError(t, err)
	ask.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(ask)
	require.NoError(t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, string(said))
	require.True(t, strings.Contains(string(said), `"result":[`), string(said))
}
