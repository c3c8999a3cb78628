package tryton

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
)

func good() Settings {
	return Settings{URL: "https://erp.example.com/", Database: "erp", User: "sync", Password: "secret-Qx7"}
}

func TestAllProblemsOfTheSettingsAtOnce(t *testing.T) {
	_, err := New(Settings{
		URL: "erp.example.com", State: "shipped", Timeout: -1, LongestRequest: -1,
		User: "a:b", Password: "", Taxes: map[string]string{"IVA": "", "iva": "x"},
	}, http.DefaultClient, time.Now)
	keys := map[string]bool{}
	collect(t, err, keys)
	for _, key := range []string{"url", "database", "user", "password", "state", "taxes", "timeout", "longest_request"} {
		require.Contains(t, keys, key)
	}
}

// collect walks through errors joined in errors.
func collect(t *testing.T, err error, keys map[string]bool) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			collect(t, e, keys)
		}
		return
	}
	var s *erp.SettingError
	require.ErrorAs(t, err, &s)
	require.NotEmpty(t, s.Problem)
	require.NotEmpty(t, s.Fix)
	keys[s.Key] = true
}

func TestDefaults(t *testing.T) {
	a, err := New(good(), http.DefaultClient, time.Now)
	require.NoError(t, err)
	require.Equal(t, stateConfirmed, a.settings.State)
	require.Equal(t, "https://erp.example.com", a.settings.URL)
	require.Equal(t, 2*time.Minute, a.Settle())
	require.Equal(t, erp.TierB, a.Tier())
}

func TestTheLinkLeadsTheWebClientToTheSales(t *testing.T) {
	a, err := New(good(), http.DefaultClient, time.Now)
	require.NoError(t, err)
	_, fragment, _ := strings.Cut(strings.Replace(a.Link(), "{ref}", "acme-1", 1), "#")
	path, params, _ := strings.Cut(fragment, ";")
	require.Equal(t, "erp/model/sale.sale", path)
	name, value, _ := strings.Cut(params, "=")
	domain, err := url.QueryUnescape(value)
	require.NoError(t, err)
	require.Equal(t, `domain [["reference","=","acme-1"]]`, name+" "+domain)
	require.True(t, strings.HasPrefix(a.Link(), "https://erp.example.com/#"), a.Link())
}
