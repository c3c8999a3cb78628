package main

import (
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Problem is one mistake in the config: where it is, what it is, and what to
// write instead. None of the three ever holds a secret.
type Problem struct{ Key, Problem, Fix string }

// Error writes the problem in one line.
func (p Problem) Error() string {
	line := p.Problem
	if p.Key != "" {
		line = p.Key + ": " + line
	}
	if p.Fix != "" {
		line += "; " + p.Fix
	}
	return line
}

// ConfigError is every problem of one config, sorted by key.
type ConfigError []Problem

// Error writes one problem as one line, several as a line each.
func (e ConfigError) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d problems", len(e))
	for _, p := range e {
		text.WriteString("\n  " + p.Error())
	}
	return text.String()
}

// add notes a problem, unless one is known at this key or at a table around it:
// the first says it best, the others follow from it.
func (l *loader) add(key, problem, fix string) {
	for _, p := range l.problems {
		rest, below := strings.CutPrefix(key, p.Key)
		if below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return
		}
	}
	l.problems = append(l.problems, Problem{key, problem, fix})
}

func (l *loader) sorted() ConfigError {
	slices.SortStableFunc(l.problems, func(a, b Problem) int { return strings.Compare(a.Key, b.Key) })
	return l.problems
}

// nearest returns the known word that key was probably meant to be, or "".
func nearest(key string, known []string) string {
	best, least := "", max(2, len(key)/3)+1
	for _, word := range known {
		if d := levenshtein.ComputeDistance(key, word); d < least {
			best, least = word, d
		}
	}
	return best
}

var (
	nameFormat    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,40}$`)
	domainFormat  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.myshopify\.com$`)
	versionFormat = regexp.MustCompile(`^20\d\d-(01|04|07|10)$`)
	clockFormat   = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`)
)

const minKeepBodies = 7 * 24 * time.Hour

// check notes everything that the types could not.
func (l *loader) check(c *Config) {
	l.checkServer(c)
	l.checkStore(c.Store)
	l.checkERPs(c.ERPs)
	l.checkShops(c.Shops, c.ERPs)
	l.checkRules(c.Rules)
	l.checkMail(c)
	l.checkOIDC(c)
}

func (l *loader) checkServer(c *Config) {
	s := c.Server
	_, port, err := net.SplitHostPort(s.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		l.add("server.listen", l.refs.quote(s.Listen)+" is not an address", `write HOST:PORT, like "127.0.0.1:8080"`)
	}
	l.checkPublicURL(s.PublicURL, slices.ContainsFunc(c.Shops, func(s ShopConfig) bool { return s.Webhooks == "on" }))
	l.positive("server.read_timeout", s.ReadTimeout)
	l.positive("server.idle_timeout", s.IdleTimeout)
	l.positive("server.shutdown_timeout", s.ShutdownTimeout)
	l.atLeast("server.max_body", int64(s.MaxBody), 64<<10)
	l.oneOf("server.log_level", s.LogLevel, "debug", "info", "warn", "error")
	l.oneOf("server.log_format", s.LogFormat, "text", "json")
}

// checkPublicURL insists on https, as Shopify does; http is for trials on one
// machine.
func (l *loader) checkPublicURL(address string, webhooks bool) {
	const key = "server.public_url"
	if address == "" {
		if webhooks {
			l.add(key, "it is missing, and Shopify must know where to send webhooks",
				`write the address the outside reaches, like "https://orders.example.com", or set webhooks = "off" for every shop`)
		}
		return
	}
	if u := l.httpURL(key, address); u != nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		l.add(key, "http is open to anyone on the way, and Shopify refuses it", "write https://")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (l *loader) checkStore(s StoreConfig) {
	if path, ok := strings.CutPrefix(s.URL, "sqlite:"); !ok || path == "" {
		l.add("store.url", "this is not a store Gapless knows", `write "sqlite:" and a path, like "sqlite:gapless.db"`)
	}
	if _, err := s.Key(); err != nil {
		l.add("store.encryption_key", err.Error(), "make a key with: openssl rand -base64 32")
	}
	if s.KeepBodies < minKeepBodies {
		l.add("store.keep_bodies", formatDuration(s.KeepBodies)+" is too short to mend what a holiday hid", `write at least "7d"`)
	}
	l.atLeast("store.queue", int64(s.Queue), 1)
	l.atLeast("store.queue_bytes", int64(s.QueueBytes), 1<<20)
}

func (l *loader) checkShops(shops []ShopConfig, erps []ERPConfig) {
	if len(shops) == 0 {
		l.add("shops", "there is no shop", "add a [[shops]] table; config.example.toml shows one")
	}
	names, domains := map[string]string{}, map[string]string{}
	for i, s := range shops {
		key := fmt.Sprintf("shops[%d]", i)
		l.name(key+".name", s.Name, names)
		l.checkDomain(key+".domain", s.Domain, domains)
		l.checkLogin(key, s)
		l.checkWebhooks(key, s)
		l.checkShopERP(key+".erp", s.ERP, erps)
		if !versionFormat.MatchString(s.APIVersion) {
			l.add(key+".api_version", l.refs.quote(s.APIVersion)+" is not a version of Shopify's API",
				`write year and month of a quarter, like "2026-10"`)
		}
		if s.APIURL != "" {
			l.httpURL(key+".api_url", s.APIURL)
		}
		l.checkPace(key, s)
	}
}

func (l *loader) checkDomain(key, domain string, seen map[string]string) {
	if !l.required(key, domain) {
		return
	}
	if !domainFormat.MatchString(domain) {
		l.add(key, l.refs.quote(domain)+" is not a myshopify.com domain", "write the shop's own domain, like acme.myshopify.com")
	}
	if other, taken := seen[domain]; taken {
		l.add(key, l.refs.quote(domain)+" is also "+other, "keep one of the two shops")
	}
	seen[domain] = key
}

func (l *loader) checkLogin(key string, s ShopConfig) {
	const ways = "set access_token, or client_id and client_secret"
	hasClient := s.ClientID != "" || s.ClientSecret != ""
	switch {
	case s.AccessToken != "" && hasClient:
		l.add(key+".access_token", "there are client credentials as well", "keep one: "+ways)
	case s.AccessToken == "" && !hasClient:
		l.add(key+".access_token", "the shop has no credentials", ways)
	case hasClient && s.ClientID == "":
		l.add(key+".client_id", "it is missing beside client_secret", ways)
	case hasClient && s.ClientSecret == "":
		l.add(key+".client_secret", "it is missing beside client_id", ways)
	}
}

// checkWebhooks refuses an empty secret: a webhook signed with one is signed by
// anybody.
func (l *loader) checkWebhooks(key string, s ShopConfig) {
	l.oneOf(key+".webhooks", s.Webhooks, "on", "off")
	for i, secret := range s.WebhookSecrets {
		if strings.TrimSpace(secret) == "" {
			l.add(fmt.Sprintf("%s.webhook_secrets[%d]", key, i), "an empty secret would accept forged webhooks",
				"set the app's client secret")
		}
	}
	if len(s.WebhookSecrets) == 0 && s.Webhooks == "on" {
		l.add(key+".webhook_secrets", "there is none, so no webhook could be trusted",
			`set the app's client secret, or webhooks = "off" to run on polling alone`)
	}
}

func (l *loader) checkShopERP(key, name string, erps []ERPConfig) {
	if !l.required(key, name) || len(erps) == 0 {
		return
	}
	var names []string
	for _, e := range erps {
		if e.Name == name {
			return
		}
		if _, hidden := l.refs[e.Name]; !hidden {
			names = append(names, e.Name)
		}
	}
	l.add(key, "there is no [[erps]] table named "+l.refs.quote(name), suggest(name, names))
}

func (l *loader) checkPace(key string, s ShopConfig) {
	l.positive(key+".poll.active", s.Poll.Active)
	l.positive(key+".poll.idle", s.Poll.Idle)
	if s.Poll.Active > s.Poll.Idle {
		l.add(key+".poll.active", "it is longer than poll.idle", "poll more often when there are orders: active is the shorter one")
	}
	l.positive(key+".reconcile.every", s.Reconcile.Every)
	l.positive(key+".reconcile.stuck", s.Reconcile.Stuck)
	l.positive(key+".reconcile.window", s.Reconcile.Window)
	if s.Reconcile.Window < s.Reconcile.Every {
		l.add(key+".reconcile.window", "it is shorter than reconcile.every, so some hours would never be checked",
			"make the window at least as long")
	}
}

func (l *loader) checkERPs(erps []ERPConfig) {
	if len(erps) == 0 {
		l.add("erps", "there is no ERP", "add an [[erps]] table; config.example.toml shows one")
	}
	names := map[string]string{}
	kinds := slices.Sorted(maps.Keys(l.kinds))
	for i, e := range erps {
		key := fmt.Sprintf("erps[%d]", i)
		l.name(key+".name", e.Name, names)
		l.oneOf(key+".kind", e.Kind, kinds...)
		if e.URL != "" {
			l.httpURL(key+".url", e.URL)
		}
		if e.Link != "" {
			l.checkLink(key+".link", e.Link)
		}
		l.atLeast(key+".concurrency", int64(e.Concurrency), 1)
		l.positive(key+".timeout", e.Timeout)
		l.positive(key+".longest_request", e.LongestRequest)
		l.positive(key+".retry.first", e.Retry.First)
		if e.Retry.Max < e.Retry.First {
			l.add(key+".retry.max", "it is shorter than retry.first", "make it the longer one")
		}
		l.atLeast(key+".circuit.failures", int64(e.Circuit.Failures), 1)
		l.positive(key+".circuit.pause", e.Circuit.Pause)
		l.checkSettings(key, e.Settings)
	}
}

// checkLink wants an address that leads to one document.
func (l *loader) checkLink(key, link string) {
	filled := strings.NewReplacer("{ref}", "", "{id}", "").Replace(link)
	if filled == link || strings.ContainsAny(filled, "{}") {
		l.add(key, "it does not lead to one document", `write {ref} where our reference stands in the address, or {id} for the ERP's own number, and no other braces`)
		return
	}
	l.httpURL(key, filled)
}

func (l *loader) checkMail(c *Config) {
	if !clockFormat.MatchString(c.Report.At) {
		l.add("report.at", l.refs.quote(c.Report.At)+" is not a time of day", `write HH:MM, like "07:00"`)
	}
	l.emails("report.email", c.Report.Email)
	l.emails("alerts.email", c.Alerts.Email)
	if len(c.Report.Email)+len(c.Alerts.Email) > 0 {
		l.required("smtp.host", c.SMTP.Host)
		l.email("smtp.from", c.SMTP.From)
	}
	if c.SMTP.Port < 1 || c.SMTP.Port > 65535 {
		l.add("smtp.port", strconv.Itoa(c.SMTP.Port)+" is not a port", "write 587, 465 or 25, as your mail server has it")
	}
	l.oneOf("smtp.tls", c.SMTP.TLS, "auto", "starttls", "implicit", "off")
	if c.SMTP.TLS == "off" && c.SMTP.User+c.SMTP.Password != "" && !loopback(c.SMTP.Host) {
		l.add("smtp.tls", "the password would travel in clear", `write "starttls" or "implicit"`)
	}
	if c.Alerts.SlackURL != "" {
		l.httpURL("alerts.slack_url", c.Alerts.SlackURL)
	}
	if c.Alerts.WebhookURL != "" {
		l.httpURL("alerts.webhook_url", c.Alerts.WebhookURL)
	}
	if _, err := standardwebhooks.NewWebhook(c.Alerts.WebhookSecret); err != nil && c.Alerts.WebhookSecret != "" {
		l.add("alerts.webhook_secret", "it is not base64", `write "whsec_" and the secret's bytes in base64`)
	}
	l.positive("alerts.remind", c.Alerts.Remind)
}

func (l *loader) required(key, value string) bool {
	if strings.TrimSpace(value) == "" {
		l.add(key, "it is required", "set it; config.example.toml says how")
		return false
	}
	return true
}

// name checks the name of a shop or an ERP: it stands in references, addresses
// and variables.
func (l *loader) name(key, name string, seen map[string]string) {
	if !l.required(key, name) {
		return
	}
	if !nameFormat.MatchString(name) {
		l.add(key, l.refs.quote(name)+" can't be a name", "use a-z, 0-9, - and _, at most 41, a letter or digit first")
	}
	l.unique(key, name, seen)
}

// unique refuses names that are the same in a variable's spelling.
func (l *loader) unique(key, name string, seen map[string]string) {
	if other, taken := seen[envName(name)]; taken {
		l.add(key, l.refs.quote(name)+" is taken by "+other, "give each its own name; - and _ count as the same")
	}
	seen[envName(name)] = key
}

func (l *loader) oneOf(key, value string, known ...string) {
	if l.required(key, value) && !slices.Contains(known, value) {
		l.add(key, l.refs.quote(value)+" is not known here", suggest(value, known))
	}
}

func suggest(value string, known []string) string {
	if near := nearest(value, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "write one of " + strings.Join(known, ", ")
}

func (l *loader) positive(key string, d time.Duration) {
	if d <= 0 {
		l.add(key, "it must be longer than 0", `write it like "10s"`)
	}
}

func (l *loader) atLeast(key string, n, least int64) {
	if n < least {
		l.add(key, fmt.Sprintf("%d is too little", n), fmt.Sprintf("write at least %d", least))
	}
}

// httpURL returns the parsed address or notes a problem, without the address:
// it may hold a password.
func (l *loader) httpURL(key, address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		l.add(key, "this is not a web address", "write it in full, like https://erp.example.com")
		return nil
	}
	return u
}

func (l *loader) emails(key string, addresses []string) {
	for i, address := range addresses {
		l.email(fmt.Sprintf("%s[%d]", key, i), address)
	}
}

// email checks an address without repeating it: it is a person's.
func (l *loader) email(key, address string) {
	if _, err := mail.ParseAddress(address); err != nil {
		l.add(key, "this is not an e-mail address", "write it like ops@example.com")
	}
}
