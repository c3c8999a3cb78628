package tryton

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"gapless/erp"
)

// TestAnswers is the table of what each answer means for a read and a write.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name        string
		status      int
		body        string
		read, write erp.Result // empty: success
	}{
		{"result", 200, `{"id":1,"result":[]}`, "", ""},
		{"null result", 200, `{"id":1,"result":null}`, "", ""},
		{"no result", 200, `{"id":1}`, erp.Retry, erp.Unknown},
		{"html", 200, `<html>`, erp.Retry, erp.Unknown},
		{"cut", 200, `{"id":1,"resu`, erp.Retry, erp.Unknown},
		{"other type", 200, `{"id":1,"result":"x"}`, erp.Retry, erp.Unknown},
		{"user error", 200, `{"id":1,"error":["UserError",["El campo",null]]}`, erp.Retry, erp.Rejected},
		{"user error without text", 200, `{"id":1,"error":["UserError",[]]}`, erp.Retry, erp.Rejected},
		{"concurrency", 200, `{"id":1,"error":["ConcurrencyException","x"]}`, erp.Retry, erp.Retry},
		{"key error", 200, `{"id":1,"error":["'field'",""]}`, erp.Retry, erp.Retry},
		{"empty error", 200, `{"id":1,"error":[]}`, erp.Retry, erp.Unknown},
		{"odd error", 200, `{"id":1,"error":{"a":1}}`, erp.Retry, erp.Unknown},
		{"session over", 401, `<html>`, erp.Retry, erp.Retry},
		{"not exposed", 403, `<html>`, erp.Retry, erp.Retry},
		{"no such database", 404, `<html>`, erp.Retry, erp.Retry},
		{"too many", 429, `<html>`, erp.Retry, erp.Retry},
		{"server error", 500, `<html>`, erp.Retry, erp.Unknown},
		{"gateway", 502, `<html>`, erp.Retry, erp.Unknown},
		{"redirect", 302, ``, erp.Retry, erp.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, side := range []struct {
				writes bool
				want   erp.Result
			}{{false, c.read}, {true, c.write}} {
				var ids []int64
				warning, err := answer{status: c.status, body: []byte(c.body)}.result(&ids, side.writes)
				require.Empty(t, warning)
				if side.want == "" {
					require.NoError(t, err)
					continue
				}
				require.Error(t, err)
				require.Equal(t, side.want, outcome(err, erp.Order{}).Result, "writes: %t", side.writes)
			}
		})
	}
}

func TestAWarningIsForTheWriterToAnswer(t *testing.T) {
	a := answer{status: 200, body: []byte(`{"id":1,"error":["UserWarning",["sale_5","Sure?",""]]}`)}
	warning, err := a.result(nil, true)
	require.NoError(t, err)
	require.Equal(t, "sale_5", warning)
	_, err = a.result(nil, false)
	require.Equal(t, erp.Retry, outcome(err, erp.Order{}).Result)
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	_, err := answer{status: http.StatusTooManyRequests, after: 9 * time.Second}.result(nil, true)
	require.Equal(t, 9*time.Second, outcome(err, erp.Order{}).After)
}

// TestRefusalsHideThePerson: Tryton quotes names of records, and parties are
// people.
func TestRefusalsHideThePerson(t *testing.T) {
	order := erp.Order{
		Email: "ana@example.com", Customer: &erp.Customer{FirstName: "Ana", LastName: "Østergård Ruiz"},
		Billing: &erp.Address{Address1: "Calle Falsa 123", City: "Madrid"},
	}
	said := `The value "ANA@example.com" of "ana Østergård" in Calle Falsa 123, Madrid is not valid. ` + strings.Repeat("ñ", 400)
	out := outcome(&failure{result: erp.Rejected, reason: "Tryton refuses", said: said}, order)
	for _, word := range []string{"ana", "Østergård", "Falsa", "Madrid", "example"} {
		require.NotContains(t, strings.ToLower(out.Reason), strings.ToLower(word))
	}
	require.Contains(t, out.Reason, "is not valid")
	require.Less(t, len(out.Reason), longestReason+50)
	require.True(t, utf8.ValidString(out.Reason))
	require.NotEmpty(t, out.Hint)
}
