package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"gapless/store"
	"gapless/sync/alert"
	"gapless/sync/report"
)

// postOffice is a real SMTP server that refuses some recipients, and counts what
// each of the others got.
type postOffice struct {
	host string
	port int

	mu      sync.Mutex
	refuses map[string]bool
	got     map[string]int
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	p := &postOffice{refuses: map[string]bool{}, got: map[string]int{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &counter{p: p}, nil }))
	server.Domain = "mail.example.com"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	p.host = host
	p.port, err = strconv.Atoi(port)
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })
	return p
}

// counter is one connection to it.
type counter struct {
	p  *postOffice
	to []string
}

func (c *counter) Mail(string, *smtp.MailOptions) error { return nil }
func (c *counter) Reset()                               { c.to = nil }
func (c *counter) Logout() error                        { return nil }

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.p.refuses[to] {
		return &smtp.SMTPError{Code: 550, Message: "<" + to + ">: no such user"}
	}
	c.to = append(c.to, to)
	return nil
}

func (c *counter) Data(r io.Reader) error {
	_, err := io.ReadAll(r)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	for _, to := range c.to {
		c.p.got[to]++
	}
	return err
}

// refuse has some recipients refused, and no others.
func (p *postOffice) refuse(people ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = map[string]bool{}
	for _, who := range people {
		p.refuses[who] = true
	}
}

// all is how many mails each recipient got.
func (p *postOffice) all() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got
}

// mailing is an appliance that mails its reports to people, and has one to mail.
func mailing(t *testing.T, p *postOffice, people ...string) *appliance {
	t.Helper()
	a := build(t, setup{})
	a.mailTo(p, people...)
	a.reportMailed()
	return a
}

// mailTo restarts with these people in the config.
func (a *appliance) mailTo(p *postOffice, people ...string) {
	a.Helper()
	email, err := alert.NewEmail(alert.SMTP{Host: p.host, Port: p.port, From: "gapless@example.com"}, people, a.Now)
	require.NoError(a, err)
	a.reconfigure(func(c *Config) { c.Report.Channels = []Channel{email} })
}

func (a *appliance) reportMailed() {
	a.Helper()
	_, err := a.engine.SendReport(a.Context(), report.Report{Shop: "acme", Day: "2026-11-23", Timezone: "UTC"})
	require.NoError(a, err)
}

// unsent is how many letters wait, and why.
func (a *appliance) unsent() (int64, string) {
	a.Helper()
	n, why, err := a.store.UnsentLetters(a.Context())
	require.NoError(a, err)
	return n, why
}

func TestALetterThatOneRecipientIsRefusedIsNotSentToTheOthersAgain(t *testing.T) {
	p := openPostOffice(t)
	p.refuse("gone@example.com", "full@example.com")
	people := []string{"ops@example.com", "gone@example.com", "Full <full@example.com>"}
	a := mailing(t, p, people...)
	for range 3 {
		require.Error(t, a.engine.sendLetters(t.Context(), "email"))
		a.pass(time.Hour)
		n, why := a.unsent()
		require.EqualValues(t, 1, n, "the health page goes on telling it")
		require.Contains(t, why, "refuses recipient 2 of 3")
		require.NotContains(t, why, "@example.com")
		a.mailTo(p, people...) // as after a restart
	}
	require.Equal(t, map[string]int{"ops@example.com": 1}, p.all())

	p.refuse("gone@example.com")
	require.ErrorContains(t, a.engine.sendLetters(t.Context(), "email"), "recipient 2 of 3")
	a.pass(time.Hour)
	a.mailTo(p, "ops@example.com", "new@example.com", "full@example.com") // a person has mended the config
	require.NoError(t, a.engine.sendLetters(t.Context(), "email"))
	require.Equal(t, map[string]int{"ops@example.com": 1, "full@example.com": 1}, p.all())
	n, _ := a.unsent()
	require.Zero(t, n)

	a.reportMailed()
	require.NoError(t, a.engine.sendLetters(t.Context(), "email"))
	require.Equal(t, map[string]int{"ops@example.com": 2, "new@example.com": 1, "full@example.com": 2}, p.all(), "the next letter is for all")
}

// last is a channel during whose sending Gapless is stopped.
type last struct {
	stop  func()
	after error
}

func (last) Name() string { return "last" }

func (c last) Send(context.Context, alert.Message) error {
	c.stop()
	return c.after
}

func TestWhoHasALetterIsKnownThoughGaplessIsStoppedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		after error
		due   int
		left  []string
	}{
		"all":    {nil, 0, nil},
		"some":   {&alert.Error{Left: []string{"ann@example.com"}}, 1, []string{"ann@example.com"}},
		"nobody": {&alert.Error{}, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			ctx, stop := context.WithCancel(t.Context())
			a.reconfigure(func(cfg *Config) { cfg.Report.Channels = []Channel{last{stop, c.after}} })
			a.reportMailed()
			a.engine.sendLetters(ctx, "last")
			a.pass(time.Hour)
			due, err := a.store.DueLetters(t.Context(), "last", 10)
			require.NoError(t, err)
			require.Len(t, due, c.due)
			if c.due > 0 {
				require.Equal(t, c.left, due[0].To)
			}
		})
	}
}

func TestALetterWhoseChannelIsGoneFromTheConfigIsGivenUp(t *testing.T) {
	var log strings.Builder
	box := &postbox{}
	a := build(t, setup{})
	a.reconfigure(func(c *Config) { c.Report.Channels, c.Alerts.Channels = []Channel{box}, []Channel{box} })
	a.reportMailed()
	a.reconfigure(func(c *Config) {
		c.Report.Channels = nil // the same name still takes letters of another kind
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
	require.Empty(t, box.got)
	n, _ := a.unsent()
	require.Zero(t, n)
	waiting, err := a.store.WaitingChannels(t.Context())
	require.NoError(t, err)
	require.Empty(t, waiting)
	require.Contains(t, log.String(), "channel=postbox kind=report")
	require.NotContains(t, log.String(), "23 November")
}

// A receiver drops what it has seen the id of.
func TestALettersIDIsNoOthersEvenAfterARestoreAndStaysTheSameForEachTry(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{})
	a.reconfigure(func(c *Config) { c.Report.Channels = []Channel{box} })
	backup := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, a.store.Backup(t.Context(), backup))
	a.reportMailed()
	a.pass(time.Minute)
	a.lettersSent()

	a.reopen(backup)
	a.reportMailed()
	box.refuses = errors.New("busy")
	require.Error(t, a.engine.sendLetters(t.Context(), "postbox"))
	a.pass(time.Hour)
	require.Error(t, a.engine.sendLetters(t.Context(), "postbox"))
	require.Len(t, box.tried, 3)
	require.NotEqual(t, box.tried[0], box.tried[1], "another letter, of the same number")
	require.Equal(t, box.tried[1], box.tried[2])
}

// told are the gaps in a letter's data, as a program reads them.
func told(t *testing.T, m alert.Message) (gaps []map[string]any) {
	t.Helper()
	raw, err := json.Marshal(m.Data)
	require.NoError(t, err)
	var data struct{ Gaps []map[string]any }
	require.NoError(t, json.Unmarshal(raw, &data))
	return data.Gaps
}

func TestTheDataOfALetterSaysWhoseEachGapIsAndWhatIsNewAboutIt(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{names: []string{"acme", "beta"}})
	a.reconfigure(func(c *Config) { c.Alerts = AlertConfig{Channels: []Channel{box}, Remind: 24 * time.Hour} })
	gap := func(shop, kind, subject string) store.Gap {
		return store.Gap{Shop: shop, ERP: "books", Kind: kind, Subject: subject, About: "1", Cause: CauseRemoved, Detail: "gone", FoundBy: "schedule"}
	}
	found := func(gaps ...store.Gap) {
		t.Helper()
		for _, g := range gaps {
			_, err := a.store.FoundGaps(t.Context(), "schedule", store.Fault{Gap: g})
			require.NoError(t, err)
		}
		require.NoError(t, a.engine.tellGaps(t.Context()))
		require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
	}
	first := gap("acme", store.GapSilence, "")
	found(first, gap("beta", store.GapSubscription, "orders/create"))
	a.pass(24 * time.Hour)
	first.ID = 1
	require.NoError(t, a.store.CloseGap(t.Context(), first, "webhook"))
	found(gap("beta", store.GapSubscription, "orders/paid"))

	var all [][]any
	for _, m := range box.got {
		for _, g := range told(t, m) {
			all = append(all, []any{g["shop"], g["kind"], g["subject"], g["state"], g["news"], g["ignored_by"], g["reason"]})
		}
	}
	require.Equal(t, [][]any{
		{"acme", "silence", "", "open", "new", "", ""}, {"beta", "subscription", "orders/create", "open", "new", "", ""},
		{"beta", "subscription", "orders/paid", "open", "new", "", ""}, {"beta", "subscription", "orders/create", "open", "still open", "", ""}, {"acme", "silence", "", "closed", "closed", "", ""},
	}, all)
}

func TestAReportTellsWhoIgnoresAGapAndWhy(t *testing.T) {
	a, _ := reporting(t)
	k := a.lose()
	require.NoError(t, a.engine.IgnoreGap(t.Context(), a.gap(k).ID, "ann", "settled in cash"))
	a.until(1, 7, 0)
	g := gapNamed(a.report("2026-11-23"), k.ID)
	require.Equal(t, []string{"acme", "ignored", "ann", "settled in cash"}, []string{g.Shop, g.State, g.IgnoredBy, g.Reason})
}
