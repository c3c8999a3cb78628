package main

import (
	"strings"
	"testing"
)

func TestEachProblemIsNamed(t *testing.T) {
	shop := func(lines string) string {
		return strings.Replace(goodConfig, `domain = "acme.myshopify.com"`, "domain = \"acme.myshopify.com\"\n"+lines, 1)
	}
	replace := func(old, text string) string {
		if !strings.Contains(goodConfig, old) {
			t.Fatalf("goodConfig has no %s", old)
		}
		return strings.Replace(goodConfig, old, text, 1)
	}
	for name, test := range map[string]struct{ doc, want string }{
		"not TOML":                     {"[server]\nlisten = 127.0.0.1", "line 2, column "},
		"key twice":                    {"[server]\nlisten = \"a\"\nlisten = \"b\"", "this is not TOML: key listen is already defined"},
		"unknown section":              {goodConfig + "[sever]\n", "sever: unknown key; did you mean server?"},
		"unknown key":                  {shop("webook_secrets = []"), "shops[0].webook_secrets: unknown key; did you mean webhook_secrets?"},
		"unknown key far from all":     {"[report]\nzzzzzzzzz = 1\n" + goodConfig, "report.zzzzzzzzz: unknown key; known here: at, email"},
		"unknown nested key":           {shop(`poll.activ = "1s"`), "shops[0].poll.activ: unknown key; did you mean active?"},
		"key in capitals":              {shop(`Poll.active = "1s"`), "shops[0].Poll: unknown key; did you mean poll?"},
		"unknown key of a kind":        {goodConfig + `jornal = "x"`, "erps[0].jornal: unknown key; did you mean journal?"},
		"unknown nested key of a kind": {goodConfig + `accounts.sale = 1`, "erps[0].accounts.sale: unknown key; did you mean sales?"},
		"wrong type of a kind's key":   {goodConfig + `accounts.sales = "x"`, "erps[0].accounts.sales: needs a whole number"},
		"word for a switch":            {goodConfig + `strict = "yes"`, "erps[0].strict: needs true or false"},
		"number for a switch":          {goodConfig + `strict = 1`, "erps[0].strict: needs true or false; write it without quotes"},
		"word for a share":             {goodConfig + `share = "half"`, "erps[0].share: needs a number"},
		"switch for a duration":        {goodConfig + `timeout = true`, "erps[0].timeout: needs text; write it in quotes"},
		"number in a list of texts":    {goodConfig + `skus = ["A", 1]`, "erps[0].skus[1]: needs text"},
		"unknown kind":                 {replace(`kind = "books"`, `kind = "boks"`), `erps[0].kind: "boks" is not known here; did you mean books?`},
		"no kind":                      {replace(`kind = "books"`, ``), "erps[0].kind: it is required"},
		"no shop":                      {"[[erps]]\nname = \"books\"\nkind = \"books\"", "shops: there is no shop"},
		"no ERP":                       {replace("[[erps]]\nname = \"books\"\nkind = \"books\"\nurl = \"http://127.0.0.1:8000\"\n", ""), "erps: there is no ERP"},
		"domain outside Shopify":       {replace("acme.myshopify.com", "acme.com"), `shops[0].domain: "acme.com" is not a myshopify.com domain; write the shop's own domain, like acme.myshopify.com`},
		"domain with a tail":           {replace("acme.myshopify.com", "myshopify.com.evil.example"), "shops[0].domain: "},
		"no domain":                    {replace("domain = \"acme.myshopify.com\"", ""), "shops[0].domain: it is required"},
		"domain twice":                 {goodConfig + "[[shops]]\nname = \"b\"\ndomain = \"acme.myshopify.com\"\naccess_token = \"t\"\nwebhook_secrets = [\"s\"]\nerp = \"books\"", `shops[1].domain: "acme.myshopify.com" is also shops[0].domain`},
		"name twice":                   {goodConfig + "[[erps]]\nname = \"books\"\nkind = \"books\"", `erps[1].name: "books" is taken by erps[0].name`},
		"name of capitals":             {replace(`name = "acme"`, `name = "Acme"`), `shops[0].name: "Acme" can't be a name`},
		"unknown ERP":                  {replace(`erp = "books"`, `erp = "book"`), `shops[0].erp: there is no [[erps]] table named "book"; did you mean books?`},
		"version off the quarter":      {shop(`api_version = "2026-11"`), `shops[0].api_version: "2026-11" is not a version`},
		"api_url without scheme":       {shop(`api_url = "127.0.0.1:9"`), "shops[0].api_url: this is not a web address"},
		"two log-ins":                  {shop(`client_id = "x"`), "shops[0].access_token: there are client credentials as well"},
		"no log-in":                    {replace("access_token = \"shpat_secret\"", ""), "shops[0].access_token: the shop has no credentials"},
		"half a log-in":                {replace("access_token = \"shpat_secret\"", `client_id = "x"`), "shops[0].client_secret: it is missing beside client_id"},
		"other half of a log-in":       {replace("access_token = \"shpat_secret\"", `client_secret = "x"`), "shops[0].client_id: it is missing beside client_secret"},
		"no webhook secret":            {replace(`["hush"]`, "[]"), "shops[0].webhook_secrets: there is none"},
		"empty webhook secret":         {replace(`["hush"]`, `["hush", " "]`), "shops[0].webhook_secrets[1]: an empty secret would accept forged webhooks"},
		"webhooks maybe":               {shop(`webhooks = "offf"`), `shops[0].webhooks: "offf" is not known here; did you mean off?`},
		"active longer than idle":      {shop(`poll.active = "11m"`), "shops[0].poll.active: it is longer than poll.idle"},
		"zero pace":                    {shop(`poll.active = "0s"`), "shops[0].poll.active: it must be longer than 0"},
		"window shorter than every":    {shop(`reconcile.window = "30m"`), "shops[0].reconcile.window: it is shorter than reconcile.every"},
		"negative duration":            {shop(`poll.active = "-1s"`), `shops[0].poll.active: "-1s" is not a duration`},
		"bare number as duration":      {shop(`poll.active = 10`), `shops[0].poll.active: "10" is not a duration; write it like "10s"`},
		"value in place of a table":    {shop(`poll = "10s"`), "shops[0].poll: needs a table"},
		"table in place of a list":     {"rules = { name = \"x\" }\n" + goodConfig, "rules: needs a list"},
		"rate":                         {goodConfig + `rate = "5 per second"`, `erps[0].rate: "5 per second" is not a rate; write it like "5/s"`},
		"concurrency":                  {goodConfig + "concurrency = 0", "erps[0].concurrency: 0 is too little; write at least 1"},
		"fraction":                     {goodConfig + "concurrency = 1.5", "erps[0].concurrency: needs a whole number"},
		"retry upside down":            {goodConfig + "retry = { first = \"2h\" }", "erps[0].retry.max: it is shorter than retry.first"},
		"link to nothing":              {replace("url = \"http://127.0.0.1:8000\"", "url = \"http://127.0.0.1:8000\"\nlink = \"https://erp.example.com/sales\""), "erps[0].link: it does not lead to one document"},
		"link with odd braces":         {replace("url = \"http://127.0.0.1:8000\"", "url = \"http://127.0.0.1:8000\"\nlink = \"https://erp.example.com/{ref}/{number}\""), "erps[0].link: it does not lead to one document"},
		"link that runs a script":      {replace("url = \"http://127.0.0.1:8000\"", "url = \"http://127.0.0.1:8000\"\nlink = \"javascript:alert({id})\""), "erps[0].link: this is not a web address"},
		"ERP address":                  {replace("http://127.0.0.1:8000", "ftp://x"), "erps[0].url: this is not a web address"},
		"listen":                       {replace("[server]", "[server]\nlisten = \"8080\""), `server.listen: "8080" is not an address; write HOST:PORT`},
		"no public address":            {replace(`public_url = "https://orders.example.com"`, ""), "server.public_url: it is missing"},
		"plain http":                   {replace("https://orders", "http://orders"), "server.public_url: http is open to anyone"},
		"body limit":                   {replace("[server]", "[server]\nmax_body = \"lots\""), `server.max_body: "lots" is not a size; write it like "10MiB"`},
		"log level":                    {replace("[server]", "[server]\nlog_level = \"inof\""), `server.log_level: "inof" is not known here; did you mean info?`},
		"store":                        {"store.url = \"postgres://x\"\n" + goodConfig, "store.url: this is not a store Gapless knows"},
		"short key":                    {"store.encryption_key = \"AAAA\"\n" + goodConfig, "store.encryption_key: not 32 bytes in base64; make a key with: openssl rand -base64 32"},
		"bodies gone too soon":         {"store.keep_bodies = \"6d\"\n" + goodConfig, "store.keep_bodies: 6d is too short"},
		"rule without when":            {goodConfig + "[[rules]]\nname = \"x\"\nthen = \"hold\"", "rules[0].when: it is required"},
		"rule of no effect":            {goodConfig + "[[rules]]\nname = \"x\"\nwhen = \".test\"\nthen = \"exlude\"", `rules[0].then: "exlude" is not known here; did you mean exclude?`},
		"time of day":                  {"report.at = \"7:00\"\n" + goodConfig, `report.at: "7:00" is not a time of day`},
		"time without quotes":          {"report.at = 07:00:00\n" + goodConfig, "report.at: needs text; write it in quotes"},
		"address of a person":          {"report.email = [\"anna\"]\n" + goodConfig, "report.email[0]: this is not an e-mail address"},
		"mail port":                    {"smtp.port = 0\n" + goodConfig, "smtp.port: 0 is not a port"},
		"mail password in clear":       {"smtp = { host = \"mx.example.com\", password = \"x\", tls = \"off\" }\n" + goodConfig, "smtp.tls: the password would travel in clear"},
		"alert address":                {"alerts.webhook_url = \"x\"\n" + goodConfig, "alerts.webhook_url: this is not a web address"},
		"missing variable":             {replace(`"shpat_secret"`, `"env:ACME_TOKEN"`), "shops[0].access_token: the environment has no variable ACME_TOKEN"},
		"missing file":                 {replace(`"shpat_secret"`, `"file:token"`), "shops[0].access_token: this file can't be read: "},
		"folder in place of a file":    {replace(`"shpat_secret"`, `"file:."`), "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			problems := loadProblems(t, test.doc)
			wantProblem(t, problems, test.want)
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	problems := loadProblems(t, `
log = "x"
[server]
listen = "nowhere"
public_url = "http://orders.example.com"
[store]
encryption_key = "c2hvcnQ="
keep_bodies = "1 week"
[[shops]]
name = "Acme"
domain = "acme.com"
access_token = "env:NOT_SET"
webhook_secrets = [""]
erp = "boks"
[[erps]]
name = "books"
kind = "books"
timeot = "5s"
`)
	want := []string{
		"erps[0].timeot", "log", "server.listen", "server.public_url", "shops[0].access_token", "shops[0].domain",
		"shops[0].erp", "shops[0].name", "shops[0].webhook_secrets[0]", "store.encryption_key", "store.keep_bodies",
	}
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
		if p.Fix == "" {
			t.Errorf("%s: no fix", p.Key)
		}
	}
	wantEqual(t, keys, want)
	first := "11 problems\n  erps[0].timeot: unknown key; did you mean timeout?\n"
	if !strings.HasPrefix(problems.Error(), first) {
		t.Errorf("got %s", problems)
	}
}

// A value that came by reference may be a secret under any key.
func TestProblemsHideReferencedValues(t *testing.T) {
	problems := loadProblems(t, `
server = { listen = "env:LEAK", public_url = "env:LEAK", max_body = "env:LEAK", log_level = "env:LEAK" }
store = { url = "env:LEAK", encryption_key = "env:LEAK", keep_bodies = "env:LEAK", queue = "env:LEAK" }
report = { at = "env:LEAK", email = ["env:LEAK"] }
[[shops]]
name = "env:LEAK"
domain = "env:LEAK"
erp = "lost"
api_version = "env:LEAK"
webhooks = "env:LEAK"
[[erps]]
name = "env:LEAK"
kind = "env:LEAK"
rate = "env:LEAK"
`, "LEAK=lOst")
	if len(problems) < 15 {
		t.Errorf("only %s", problems)
	}
	if strings.Contains(problems.Error(), "lOst") {
		t.Errorf("the value shows: %s", problems)
	}
}
