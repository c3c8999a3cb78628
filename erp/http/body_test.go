package httperp

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gapless/erp"
	"gapless/erp/erptest"
)

func adapter(t testing.TB, s Settings) *Adapter {
	t.Helper()
	s.URL = "http://erp.invalid"
	a, err := New(s, &http.Client{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestMapKeepsEveryDigit(t *testing.T) {
	o := erptest.Order("acme-1")
	o.ID = 9223372036854775807
	body, err := adapter(t, Settings{Body: `{id, total, rate: .lines[0].taxes[0].rate, half: (.id - 1)}`}).Map(o)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"half":9223372036854775806,"id":9223372036854775807,"rate":"0.21","total":"` + o.Total.String() + `"}`
	if string(body) != want {
		t.Fatalf("got  %s\nwant %s", body, want)
	}
}

func TestMapProblems(t *testing.T) {
	for program, want := range map[string]string{
		`.name`:                        "not a JSON object",
		`.lines[]`:                     "more than one result",
		`empty`:                        "no result",
		`.customer.email | tonumber`:   "jq",
		`error(.customer.first_name)`:  "jq",
		`{a: (.tags | fromjson)}`:      "jq",
		`null | error`:                 "jq",
		`., error("late")`:             "jq",
		`{secret: $ENV.HOME} | .a = 1`: "",
	} {
		a := adapter(t, Settings{Body: program})
		body, err := a.Map(erptest.Order("acme-1"))
		if want == "" {
			if err != nil || strings.Contains(string(body), "/") {
				t.Errorf("%s: %s, %v; want no environment", program, body, err)
			}
			continue
		}
		var problem *erp.Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.Reason, want) || problem.Hint == "" || problem.Field == "" {
			t.Errorf("%s: %v, want a problem with %q", program, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "example.com") || strings.Contains(err.Error(), "Zoë")) {
			t.Errorf("%s: personal data in %v", program, err)
		}
	}
}

func TestRunawayProgramIsStopped(t *testing.T) {
	a := adapter(t, Settings{Body: `., (range(infinite) | empty)`})
	var problem *erp.Problem
	_, err := a.Map(erptest.Order("acme-1"))
	if !errors.As(err, &problem) || !strings.Contains(problem.Reason, "does not come to an end") {
		t.Errorf("%v, want a problem", err)
	}
}

func TestContent(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 31, 0, 0, time.UTC)
	doc := erp.Document{Version: "v2", Order: erp.Order{UpdatedAt: at}}
	for _, c := range []struct {
		body      string
		cancelled bool
		want      string
	}{
		{`{"id":9007199254741993}`, false, `{"id":9007199254741993,"version":"v2"}`},
		{`{"version":7}`, false, `{"version":7}`},
		{`{"cancelled_at":null}`, false, `{"cancelled_at":null,"version":"v2"}`},
		{`{"cancelled_at":null}`, true, `{"cancelled_at":"2026-11-20T09:31:00Z","version":"v2"}`},
		{`{"cancelled_at":"today"}`, true, `{"cancelled_at":"today","version":"v2"}`},
	} {
		doc.Body, doc.Cancelled = []byte(c.body), c.cancelled
		if got, err := content(doc); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.body, got, err, c.want)
		}
	}
	doc.Body = []byte(`null`)
	if _, err := content(doc); err == nil {
		t.Error("null passed for an object")
	}
}

func TestAnswersKeepTheirDigits(t *testing.T) {
	v, err := parse([]byte(`{"ref":"acme-1","id":9007199254741993,"version":3,"total":1234567890.10,"cancelled":false,"updated_at":"2026-11-20T10:31:00+01:00"}`))
	if err != nil {
		t.Fatal(err)
	}
	f := adapter(t, Settings{}).paths.found(v)
	if f.ID != "9007199254741993" || f.Version != "3" || f.Total.String() != "1234567890.10" || f.Cancelled ||
		!f.UpdatedAt.Equal(time.Date(2026, 11, 20, 9, 31, 0, 0, time.UTC)) {
		t.Fatalf("found %+v", f)
	}
}

func TestComplaints(t *testing.T) {
	for body, want := range map[string]complaint{
		`{"error":"closed"}`:                                    {"closed", ""},
		`{"error":true,"message":"closed"}`:                     {"closed", ""},
		`{"message":"bad","field":"email"}`:                     {"bad", "email"},
		`{"errors":["a","b"]}`:                                  {"a", ""},
		`{"errors":[{"message":"a","field":"zip"}]}`:            {"a", "zip"},
		`{"errors":{"lines[0].sku":["unknown"]}}`:               {"unknown", "lines[0].sku"},
		`{"title":"Bad","detail":"no stock"}`:                   {"no stock", ""},
		`{"error":{"code":"1","message":{"value":"no stock"}}}`: {"no stock", "value"},
		`"just text"`:           {"just text", ""},
		`plain text`:            {"plain text", ""},
		`<html>long page`:       {"", ""},
		``:                      {"", ""},
		`{"status":"ok"}`:       {"", ""},
		strings.Repeat("[", 99): {strings.Repeat("[", 99), ""},
	} {
		if got := complain([]byte(body)); got != want {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
}

func TestSettingsAreCheckedAllAtOnce(t *testing.T) {
	_, err := New(Settings{
		URL: "ftp://x", Method: "GET", UpdateMethod: "DELETE", OrderPath: "/orders", CreatePath: "x", ListPath: "x",
		Body: ".[", TotalPath: "nope(", Secret: "whsec_?", Tier: "D", Timeout: -1,
		Headers: map[string]string{"a b": "c"},
	}, &http.Client{}, time.Now)
	for _, key := range []string{
		"url", "method", "update_method", "order_path", "create_path", "list_path",
		"body", "total_path", "secret", "tier", "timeout", "headers",
	} {
		if !names(err, key) {
			t.Errorf("%s is not named in:\n%v", key, err)
		}
	}
	for _, address := range []string{"", "https://", "https://user:pass@erp.example.com", "https://erp.example.com?key=1"} {
		if _, err := New(Settings{URL: address}, &http.Client{}, time.Now); !names(err, "url") {
			t.Errorf("url %q: %v", address, err)
		}
	}
}

// names says that err joins a setting error for key, complete with a fix.
func names(err error, key string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if names(e, key) {
				return true
			}
		}
		return false
	}
	var setting *erp.SettingError
	ok := errors.As(err, &setting)
	return ok && setting.Key == key && setting.Problem != "" && setting.Fix != ""
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"ref":"acme-1","version":"v2","total":"1.00","cancelled":true,"next":"2"}`))
	f.Add([]byte(`{"orders":[{"ref":"acme-1","total":1e999999999}]}`))
	f.Add([]byte(`[null,{"errors":[{"message":{"a":["b"]}}]}]`))
	a := adapter(f, Settings{})
	o := erptest.Order("acme-1")
	f.Fuzz(func(t *testing.T, body []byte) {
		c := complain(body).safe(o)
		if len([]rune(c.text)) > erp.MaxExcerpt+1 || strings.Contains(c.text, "zoe.muller@example.com") {
			t.Fatalf("complaint %q", c.text)
		}
		v, err := parse(body)
		if err != nil {
			return
		}
		found, err := a.paths.documents(v, "acme-1")
		if err != nil {
			return
		}
		for _, d := range found {
			if d.Ref != "acme-1" {
				t.Fatalf("found %+v under another reference", d)
			}
			if d.Total != nil && len(d.Total.String()) > 100 {
				t.Fatalf("a total of %d digits", len(d.Total.String()))
			}
		}
	})
}

func FuzzBody(f *testing.F) {
	f.Add(`{number: .name, total, lines: [.lines[] | {sku, quantity}]}`)
	f.Add(`.lines |= map(select(.quantity > 0))`)
	f.Add(`. as $o | {a: ($o.total | tonumber * 100 | floor)}`)
	order := erptest.Order("acme-1")
	f.Fuzz(func(t *testing.T, source string) {
		p, err := erp.CompileBody(source)
		if err != nil {
			return
		}
		a := adapter(t, Settings{})
		a.body = p
		body, err := a.Map(order)
		if err != nil {
			var problem *erp.Problem
			if !errors.As(err, &problem) && source != "." {
				t.Fatalf("%v is no problem a person can act on", err)
			}
			return
		}
		if _, err := content(erp.Document{Version: "v", Body: body}); err != nil || !json.Valid(body) {
			t.Fatalf("%s gave %s: %v", source, body, err)
		}
	})
}
