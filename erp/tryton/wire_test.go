package tryton

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

func TestNumericKeepsEveryDigit(t *testing.T) {
	for text, wire := range map[string]string{
		"20.0000": `{"__class__":"Decimal","decimal":"20.0000"}`,
		"-0.10":   `{"__class__":"Decimal","decimal":"-0.10"}`,
		"1500":    `{"__class__":"Decimal","decimal":"1500"}`,
		"0.00375": `{"__class__":"Decimal","decimal":"0.00375"}`,
	} {
		b, err := json.Marshal(numeric{decimal.RequireFromString(text)})
		require.NoError(t, err)
		require.JSONEq(t, wire, string(b))
		var back numeric
		require.NoError(t, json.Unmarshal(b, &back))
		require.True(t, back.Equal(decimal.RequireFromString(text)))
	}
}

func TestNumericRefusesWhatIsNoDecimal(t *testing.T) {
	for _, wire := range []string{
		`12.5`, `"12.5"`, `{"decimal":"1"}`, `{"__class__":"date","decimal":"1"}`,
		`{"__class__":"Decimal","decimal":"one"}`, `{"__class__":"Decimal","decimal":"1E999999999"}`,
	} {
		var n numeric
		require.Error(t, json.Unmarshal([]byte(wire), &n), wire)
	}
}

func TestDatesOnTheWire(t *testing.T) {
	at := time.Date(2026, 11, 23, 23, 5, 9, 123456789, time.FixedZone("", 3600))
	day, err := json.Marshal(date{at})
	require.NoError(t, err)
	require.JSONEq(t, `{"__class__":"date","year":2026,"month":11,"day":23}`, string(day))

	instant, err := json.Marshal(stamp{at})
	require.NoError(t, err)
	require.JSONEq(t, `{"__class__":"datetime","year":2026,"month":11,"day":23,
		"hour":22,"minute":5,"second":9,"microsecond":123456}`, string(instant))

	var back stamp
	require.NoError(t, json.Unmarshal(instant, &back))
	require.Equal(t, at.UTC().Truncate(time.Microsecond), back.Time)
	require.NoError(t, json.Unmarshal([]byte(`null`), &back))
	require.True(t, back.IsZero(), "a record that was never written has no write_date")
}

// FuzzAnswer: no answer, however broken, breaks the reader or passes as a success
// with an error in it.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"result":[{"id":5,"total_amount":{"__class__":"Decimal","decimal":"1.00"}}]}`,
		`{"id":1,"error":["UserError",["no",null]]}`, `{"id":1,"error":[]}`, `[]`, `<html>`,
	} {
		f.Add(200, []byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, writes bool) {
		var rows []sale
		warning, err := answer{status: status, body: body}.result(&rows, writes)
		if err == nil && warning == "" && (status != 200 || !json.Valid(body)) {
			t.Fatalf("status %d, body %q passed as a result", status, body)
		}
		var judged *failure
		if err != nil && !errors.As(err, &judged) {
			t.Fatalf("an error without a verdict: %v", err)
		}
	})
}
