package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/parsers/toml/v2"

	"gapless/erp"
	httperp "gapless/erp/http"
	"gapless/erp/pull"
	"gapless/erp/sandbox"
	"gapless/erp/tryton"
)

// bookSettings stand for an ERP kind of their own.
type bookSettings struct {
	URL      string            `toml:"url"`
	Timeout  time.Duration     `toml:"timeout"`
	Journal  string            `toml:"journal"`
	APIKey   string            `toml:"api_key"`
	Strict   bool              `toml:"strict"`
	Share    float64           `toml:"share"`
	SKUs     []string          `toml:"skus"`
	Headers  map[string]string `toml:"headers"`
	Taxes    map[string]string `toml:"taxes"`
	Accounts struct {
		Sales int `toml:"sales"`
	} `toml:"accounts"`
	Login *bookLogin `toml:"login"`
}

type bookLogin struct {
	User     string `toml:"user"`
	Password string `toml:"password"`
}

func testKinds() map[string]func() any {
	return map[string]func() any{
		"books":   func() any { return &bookSettings{} },
		"sandbox": func() any { return &struct{}{} },
	}
}

const goodConfig = `
[server]
public_url = "https://orders.example.com"
[[shops]]
name = "acme"
domain = "acme.myshopify.com"
access_token = "shpat_secret"
webhook_secrets = ["hush"]
erp = "books"
[[erps]]
name = "books"
kind = "books"
url = "http://127.0.0.1:8000"
`

// load puts doc in a file and loads it with the variables.
func load(t *testing.T, doc string, environ ...string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	noError(t, os.WriteFile(path, []byte(doc), 0o600))
	return LoadConfig(path, environ, testKinds())
}

func mustLoad(t *testing.T, doc string, environ ...string) *Config {
	t.Helper()
	c, err := load(t, doc, environ...)
	noError(t, err)
	return c
}

func loadProblems(t *testing.T, doc string, environ ...string) ConfigError {
	t.Helper()
	_, err := load(t, doc, environ...)
	var problems ConfigError
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want problems", err)
	}
	return problems
}

// wantProblem insists on exactly one problem, whose line holds text.
func wantProblem(t *testing.T, problems ConfigError, text string) {
	t.Helper()
	if len(problems) != 1 || !strings.Contains(problems.Error(), text) {
		t.Errorf("got %s\nwant %s", problems, text)
	}
}

func wantEqual(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDefaultsFillWhatTheFileLeavesOut(t *testing.T) {
	c := mustLoad(t, goodConfig+"timeout = \"5s\"\n[[erps]]\nname = \"spare\"\nkind = \"sandbox\"\n")
	wantEqual(t, c.Server.Listen, "127.0.0.1:8080")
	wantEqual(t, c.Server.MaxBody, Size(10<<20))
	wantEqual(t, c.Store.KeepBodies, 90*24*time.Hour)
	wantEqual(t, c.Shops[0].Poll, PollConfig{10 * time.Second, 10 * time.Minute, 10 * time.Minute, 15 * time.Second})
	wantEqual(t, c.Shops[0].APIVersion, "2026-10")
	wantEqual(t, c.Shops[0].Webhooks, "on")
	wantEqual(t, c.ERPs[0].Timeout, 5*time.Second)
	wantEqual(t, c.ERPs[1].Timeout, 30*time.Second)
	wantEqual(t, c.ERPs[1].Retry, RetryConfig{time.Second, time.Hour})
	wantEqual(t, c.ERPs[0].Rate, Rate{})
}

func TestSettingsOfAnERPKind(t *testing.T) {
	want := &bookSettings{
		URL: "http://127.0.0.1:8000", Timeout: 30 * time.Second, Journal: "sales", APIKey: "k1",
		Strict: true, Share: 0.5, SKUs: []string{"A 1", "B"},
		Headers: map[string]string{"X-Tenant": "t1"}, Taxes: map[string]string{"IVA 21%": "21"},
		Login: &bookLogin{"anna", "hush"},
	}
	want.Accounts.Sales = 4000

	fromFile := mustLoad(t, goodConfig+`
rate = "100/min"
journal = "sales"
api_key = "env:BOOKS_KEY"
strict = true
share = 0.5
skus = ["A 1", "B"]
headers = { X-Tenant = "t1" }
taxes."IVA 21%" = "21"
accounts.sales = 4000
login = { user = "anna", password = "hush" }
`, "BOOKS_KEY=k1")
	wantEqual(t, fromFile.ERPs[0].Settings, want)
	wantEqual(t, fromFile.ERPs[0].Rate, Rate{100, time.Minute})

	fromEnvironment := mustLoad(t, goodConfig+`
headers = { X-Tenant = "" }
taxes = { "IVA 21%" = "" }
`, "GAPLESS_ERPS__BOOKS__JOURNAL=sales", "GAPLESS_ERPS__BOOKS__API_KEY=k1",
		"GAPLESS_ERPS__BOOKS__STRICT=true", "GAPLESS_ERPS__BOOKS__SHARE=0.5", "GAPLESS_ERPS__BOOKS__SKUS=A 1, B",
		"GAPLESS_ERPS__BOOKS__HEADERS__X_TENANT=t1", "GAPLESS_ERPS__BOOKS__TAXES__IVA_21_=21",
		"GAPLESS_ERPS__BOOKS__ACCOUNTS__SALES=4000",
		"GAPLESS_ERPS__BOOKS__LOGIN__USER=anna", "GAPLESS_ERPS__BOOKS__LOGIN__PASSWORD=hush")
	wantEqual(t, fromEnvironment.ERPs[0].Settings, want)
}

// The contract's own sample is what outside checks start from.
func TestContractSampleLoads(t *testing.T) {
	sample := `
[server]
listen = "127.0.0.1:8080"
public_url = "https://orders.example.com"
[store]
url = "sqlite:gapless.db"
encryption_key = "env:GAPLESS_KEY"
keep_bodies = "90d"
[[shops]]
name = "acme"
domain = "acme.myshopify.com"
access_token = "env:ACME_TOKEN"
webhook_secrets = ["env:ACME_SECRET"]
erp = "books"
api_version = "2026-10"
api_url = ""
poll = { active = "10s", idle = "10m" }
reconcile = { every = "1h", window = "24h", settle = "2m" }
[[erps]]
name = "books"
kind = "books"
url = "http://127.0.0.1:8000"
[[rules]]
name = "test orders"
when = ".test"
then = "exclude"
[report]
at = "07:00"
email = ["ops@example.com"]
[smtp]
[alerts]
`
	c := mustLoad(t, sample, "GAPLESS_KEY="+base64.StdEncoding.EncodeToString(make([]byte, 32)), "ACME_TOKEN=t", "ACME_SECRET=s")
	key, err := c.Store.Key()
	noError(t, err)
	wantEqual(t, key, make([]byte, 32))
	wantEqual(t, c.Shops[0].WebhookSecrets, []string{"s"})
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	c := mustLoad(t, goodConfig+"[[shops]]\nname = \"acme-eu\"\ndomain = \"acme-eu.myshopify.com\"\nerp = \"books\"\n",
		"GAPLESS_KEY=ignored", "GAPLESS=ignored", "HOME=/root",
		"GAPLESS_SERVER__LISTEN=0.0.0.0:9",
		"GAPLESS_STORE__QUEUE=7",
		"GAPLESS_SHOPS__0__POLL__ACTIVE=3s",
		"GAPLESS_SHOPS__0__WEBHOOK_SECRETS__1=second",
		"GAPLESS_SHOPS__ACME_EU__ACCESS_TOKEN=env:EU_TOKEN", "EU_TOKEN=t2",
		"GAPLESS_SHOPS__ACME_EU__WEBHOOK_SECRETS=s1, s2",
		"GAPLESS_ERPS__BOOKS__ACCOUNTS__SALES=8",
		"GAPLESS_ERPS__BOOKS__HEADERS__X=y",
	)
	wantEqual(t, c.Server.Listen, "0.0.0.0:9")
	wantEqual(t, c.Store.Queue, 7)
	wantEqual(t, c.Shops[0].Poll.Active, 3*time.Second)
	wantEqual(t, c.Shops[0].WebhookSecrets, []string{"hush", "second"})
	wantEqual(t, c.Shops[1].AccessToken, "t2")
	wantEqual(t, c.Shops[1].WebhookSecrets, []string{"s1", "s2"})
	wantEqual(t, c.ERPs[0].Settings.(*bookSettings).Accounts.Sales, 8)
	wantEqual(t, c.ERPs[0].Settings.(*bookSettings).Headers, map[string]string{"x": "y"})
}

func TestEnvironmentAlone(t *testing.T) {
	environ := []string{
		"GAPLESS_SERVER__PUBLIC_URL=http://127.0.0.1:8080",
		"GAPLESS_ERPS__0__NAME=books", "GAPLESS_ERPS__0__KIND=books", "GAPLESS_ERPS__0__CONCURRENCY=2",
	}
	for i := range 11 {
		environ = append(environ,
			fmt.Sprintf("GAPLESS_SHOPS__%d__NAME=shop%d", i, i), fmt.Sprintf("GAPLESS_SHOPS__%d__DOMAIN=shop%d.myshopify.com", i, i),
			fmt.Sprintf("GAPLESS_SHOPS__%d__ACCESS_TOKEN=t", i), fmt.Sprintf("GAPLESS_SHOPS__%d__WEBHOOKS=off", i),
			fmt.Sprintf("GAPLESS_SHOPS__%d__ERP=books", i))
	}
	c := mustLoad(t, "", environ...)
	wantEqual(t, len(c.Shops), 11)
	wantEqual(t, c.Shops[10].Name, "shop10")
	wantEqual(t, c.ERPs[0].Concurrency, 2)
}

func TestOverridesThatLeadNowhere(t *testing.T) {
	for variable, want := range map[string]string{
		"GAPLESS_SHOPS__5__NAME=x":          "GAPLESS_SHOPS__5__NAME: the list has 1 entries",
		"GAPLESS_SHOPS__ACNE__NAME=x":       "GAPLESS_SHOPS__ACNE__NAME: no entry has the name ACNE",
		"GAPLESS_SHOPS__ACME__NAME__X=x":    "GAPLESS_SHOPS__ACME__NAME__X: nothing can be set below a single value",
		"GAPLESS_SERVER__LISTN=x":           "server.listn: unknown key; did you mean listen?",
		"GAPLESS_STORE__QUEUE=many":         "store.queue: needs a whole number",
		"GAPLESS_SHOPS__ACME__POLL=10s":     "shops[0].poll: needs a table",
		"GAPLESS_SHOPS__0__ACCESS_TOKEN=":   "shops[0].access_token: the shop has no credentials",
		"GAPLESS_SERVER____=x":              "unknown key",
		"GAPLESS_STORE__KEEP_BODIES=env:NO": "store.keep_bodies: the environment has no variable NO",
	} {
		problems := loadProblems(t, goodConfig, variable)
		wantProblem(t, problems, want)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	noError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("  t1\n"), 0o600))
	doc := strings.Replace(goodConfig, `"shpat_secret"`, `"file:token"`, 1)
	noError(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(doc), 0o600))
	c, err := LoadConfig(filepath.Join(dir, "config.toml"), []string{"GAPLESS_SHOPS__0__WEBHOOK_SECRETS__0=file:" + dir + "/token"}, testKinds())
	noError(t, err)
	wantEqual(t, c.Shops[0].AccessToken, "t1")
	wantEqual(t, c.Shops[0].WebhookSecrets, []string{"t1"})
}

func TestConfigIsLookedForInItsPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := LoadConfig("absent.toml", nil, testKinds())
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	noError(t, os.WriteFile("config.toml", []byte(goodConfig), 0o600))
	c, err := LoadConfig("", nil, testKinds())
	noError(t, err)
	wantEqual(t, c.Shops[0].Name, "acme")
}

func TestRedactedShowsNoSecret(t *testing.T) {
	c := mustLoad(t, strings.ReplaceAll(goodConfig, "http://127", "http://user:hidden@127")+`
journal = "sales"
api_key = "hidden"
headers = { Authorization = "hidden" }
login = { user = "anna", password = "hidden" }
taxes = { "21%" = "T21", token = "hidden" }
[store]
encryption_key = "aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuaGk="
[smtp]
user = "env:MAIL_USER"
password = "hidden"
[alerts]
slack_url = "https://hooks.slack.example/hidden"
webhook_secret = "whsec_aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVu"
`, "MAIL_USER=hidden@example.com")
	for _, text := range []string{fmt.Sprint(c.Redacted()), fmt.Sprint(c), fmt.Sprintf("%+v", c)} {
		for _, secret := range []string{"hidden", "aGlkZGVu", "shpat_secret", "hush"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows in %s", secret, text)
			}
		}
	}
	shop := c.Redacted()["shops"].([]any)[0].(map[string]any)
	wantEqual(t, shop["name"], any("acme"))
	wantEqual(t, shop["access_token"], any("***"))
	wantEqual(t, shop["client_secret"], any(""))
	wantEqual(t, shop["poll"], any(map[string]any{"active": "10s", "grace": "15s", "idle": "10m", "overlap": "10m"}))
	erp := c.Redacted()["erps"].([]any)[0].(map[string]any)
	wantEqual(t, erp["journal"], any("sales"))
	wantEqual(t, erp["headers"], any("***"))
	wantEqual(t, erp["login"], any(map[string]any{"user": "anna", "password": "***"}))
	wantEqual(t, erp["taxes"], any(map[string]any{"21%": "T21", "token": "***"}))
	wantEqual(t, erp["url"], any("http://user:xxxxx@127.0.0.1:8000"))
	wantEqual(t, c.Redacted()["smtp"].(map[string]any)["user"], any("env:MAIL_USER"))
}

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "1h30m": 90 * time.Minute, "90d": 90 * day, "1w": 7 * day, "1w2d3h": 9*day + 3*time.Hour, "0s": 0, "250ms": 250 * time.Millisecond,
	} {
		got, err := parseDuration(text)
		noError(t, err)
		wantEqual(t, got, want)
		again, err := parseDuration(formatDuration(got))
		noError(t, err)
		wantEqual(t, again, want)
	}
	for _, text := range []string{"", "10", "d", "-1d", "1d-2h", "1.5d", "3h1d", "9999999999w", "99999d9999999h", "ten"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is taken as %s", text, got)
		}
	}
}

func TestRatesAndSizes(t *testing.T) {
	for text, want := range map[string]float64{"5/s": 5, "90/min": 1.5, "7200/h": 2, "": 0} {
		var r Rate
		noError(t, r.UnmarshalText([]byte(text)))
		wantEqual(t, r.PerSecond(), want)
		wantEqual(t, r.String(), text)
	}
	for text, want := range map[string]string{"10MiB": "10MiB", "1.5 KiB": "1536", "2048": "2KiB", "5MB": "5000000", "7B": "7"} {
		var s Size
		noError(t, s.UnmarshalText([]byte(text)))
		wantEqual(t, s.String(), want)
	}
	for _, text := range []string{"5", "5/", "/s", "0/s", "-5/s", "5/day", "1e3/s"} {
		if err := new(Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as a rate", text)
		}
	}
	for _, text := range []string{"", "MiB", "-1KB", "NaN", "Inf", "1e30", "10 miles"} {
		if err := new(Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as a size", text)
		}
	}
}

// An example that loads but that adapters or rules refuse would be none.
func TestExampleLoadsAndShowsEveryKey(t *testing.T) {
	environ := []string{
		"GAPLESS_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"ACME_TOKEN=a", "ACME_SECRET=b", "ACME_EU_CLIENT_ID=c", "ACME_EU_CLIENT_SECRET=d",
		"TRYTON_PASSWORD=e", "MIDDLEWARE_SECRET=whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "MIDDLEWARE_TOKEN=f",
		"SMTP_USER=g", "SMTP_PASSWORD=h", "SLACK_URL=https://hooks.slack.com/services/x", "ALERT_SECRET=aQ==", "OIDC_SECRET=j",
	}
	kinds := map[string]func() any{
		"tryton":  func() any { return &tryton.Settings{} },
		"http":    func() any { return &httperp.Settings{} },
		"sandbox": func() any { return &sandbox.Settings{} },
		"pull":    func() any { return &pull.Settings{} },
	}
	c, err := LoadConfig("config.example.toml", environ, kinds)
	noError(t, err)
	_, err = tryton.New(*c.ERPs[0].Settings.(*tryton.Settings), http.DefaultClient, time.Now)
	noError(t, err)
	_, err = httperp.New(*c.ERPs[1].Settings.(*httperp.Settings), http.DefaultClient, time.Now)
	noError(t, err)
	_, err = pull.New(*c.ERPs[2].Settings.(*pull.Settings), nil, time.Now)
	noError(t, err)
	_, err = erp.CompileRules([]erp.Rule{erp.Rule(c.Rules[0])})
	noError(t, err)

	doc, err := os.ReadFile("config.example.toml")
	noError(t, err)
	tree, err := toml.Parser().Unmarshal(doc)
	noError(t, err)
	wantEveryKey(t, "", []any{tree}, fieldsOf(reflect.TypeFor[Config](), "koanf"))
	for i, entry := range tree["erps"].([]any) {
		settings := reflect.TypeOf(c.ERPs[i].Settings).Elem()
		shown := maps.Clone(tree["erps"].([]any)[0].(map[string]any))
		maps.Copy(shown, entry.(map[string]any))
		wantEveryKey(t, fmt.Sprintf("erps[%d]", i), []any{shown}, fieldsOf(settings, "toml"))
	}
	wantComments(t, string(doc))
}

// wantEveryKey insists that at least one of the tables at key shows each field.
func wantEveryKey(t *testing.T, key string, tables []any, fields map[string]field) {
	t.Helper()
	for name, f := range fields {
		var values []any
		for _, table := range tables {
			switch value := table.(map[string]any)[name].(type) {
			case nil:
			case []any:
				values = append(values, value...)
			default:
				values = append(values, value)
			}
		}
		if len(values) == 0 {
			t.Errorf("config.example.toml does not show %s", join(key, name))
			continue
		}
		if f.typ.Kind() == reflect.Slice {
			f.typ = f.typ.Elem()
		}
		if _, isTable := values[0].(map[string]any); isTable && f.typ.Kind() == reflect.Struct {
			wantEveryKey(t, join(key, name), values, fieldsOf(f.typ, f.tag))
		}
	}
}

// wantComments insists that the first line of each key says what it is for.
func wantComments(t *testing.T, doc string) {
	t.Helper()
	seen := map[string]bool{}
	var section string
	for line := range strings.Lines(doc) {
		if strings.HasPrefix(line, "[") {
			section, _, _ = strings.Cut(line, "]")
		}
		key, rest, isSetting := strings.Cut(line, " = ")
		if key = section + key; !isSetting || strings.HasPrefix(line, "#") || seen[key] {
			continue
		}
		seen[key] = true
		if _, comment, _ := strings.Cut(rest, " # "); len(strings.TrimSpace(comment)) < 10 {
			t.Errorf("no comment beside %s", line)
		}
	}
}

// FuzzLoadConfig feeds any text as config: it must never panic, and neither its
// problems nor what it shows may hold a value that came by reference.
func FuzzLoadConfig(f *testing.F) {
	const secret = "s3cr3t-nobody-may-see"
	f.Add(goodConfig, "GAPLESS_SERVER__LISTEN", "env:LEAK")
	f.Add(strings.ReplaceAll(goodConfig, "shpat_secret", "env:LEAK"), "GAPLESS_SHOPS__ACME__DOMAIN", "env:LEAK")
	f.Add("[server]\nlisten = 99999999999999999999", "GAPLESS_SHOPS__0__NAME", "x")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, doc, name, value string) {
		c, problems := parseConfig([]byte(doc), dir, []string{name + "=" + value, "LEAK=" + secret}, testKinds())
		shown := problems.Error()
		if len(problems) == 0 {
			shown = c.String()
		}
		if strings.Contains(shown, secret) {
			t.Errorf("the secret shows: %s", shown)
		}
	})
}
