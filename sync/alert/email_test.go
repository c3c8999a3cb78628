package alert

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

var note = Message{
	ID: "gap-71-open", Kind: "gap", Subject: "2 orders missing in the ERP",
	Text: "acme: 2 orders missing, 118.40 €.\n.\nA line that is only a dot stands above.\n", HTML: "<!doctype html><p>2 orders missing, 118.40 €</p>",
	Data: map[string]any{"gap": 71},
}

// failure is the *Error that every failed Send gives.
func failure(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.NotContains(t, e.Error(), mailPassword)
	require.NotContains(t, e.Error(), "@example.com")
	return e
}

func TestMailHasTextAndHTML(t *testing.T) {
	m := startMail(t, plainOnly)
	e := m.email(t, SMTP{}, "ops@example.com", "Boss <boss@example.com>")
	require.Equal(t, "email", e.Name())
	require.NoError(t, e.Send(t.Context(), note))

	got := m.all()[0]
	require.Equal(t, "gapless@example.com", got.from)
	require.Equal(t, []string{"ops@example.com", "boss@example.com"}, got.to)
	require.False(t, got.encrypted)
	parsed, err := mail.ReadMessage(strings.NewReader(got.content))
	require.NoError(t, err)
	require.Equal(t, `"Gapless" <gapless@example.com>`, parsed.Header.Get("From"))
	require.Equal(t, note.Subject, parsed.Header.Get("Subject"))
	require.Equal(t, "Sun, 22 Nov 2026 13:10:00 +0000", parsed.Header.Get("Date"))
	require.Equal(t, "auto-generated", parsed.Header.Get("Auto-Submitted"))
	parts := partsOf(t, parsed)
	require.Equal(t, note.Text, strings.ReplaceAll(parts["text/plain"], "\r\n", "\n"))
	require.Equal(t, note.HTML, parts["text/html"])
}

func partsOf(t *testing.T, m *mail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		require.NoError(t, err)
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		require.NoError(t, err)
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		parts[kind] = string(text)
	}
}

func TestAMailThatIsSentAgainIsKnownByItsID(t *testing.T) {
	m := startMail(t, plainOnly)
	e := m.email(t, SMTP{})
	other, unnamed := note, note
	other.ID, unnamed.ID = "gap-72-open", ""
	for _, message := range []Message{note, note, other, unnamed} {
		require.NoError(t, e.Send(t.Context(), message))
	}
	var ids []string
	for _, got := range m.all() {
		parsed, err := mail.ReadMessage(strings.NewReader(got.content))
		require.NoError(t, err)
		ids = append(ids, parsed.Header.Get("Message-ID"))
	}
	require.Regexp(t, `^<[0-9a-f]{32}@example\.com>$`, ids[0])
	require.Equal(t, ids[0], ids[1])
	require.NotEqual(t, ids[0], ids[2])
	require.NotEqual(t, ids[0], ids[3])
}

func TestASubjectCanNotAddHeaders(t *testing.T) {
	m := startMail(t, plainOnly)
	hostile := note
	hostile.Subject = "#1\r\nBcc: thief@example.net\r\n\r\nbody \x00 \u202e é"
	require.NoError(t, m.email(t, SMTP{}).Send(t.Context(), hostile))
	got := m.all()[0]
	require.Equal(t, []string{"ops@example.com"}, got.to)
	parsed, err := mail.ReadMessage(strings.NewReader(got.content))
	require.NoError(t, err)
	require.Empty(t, parsed.Header.Get("Bcc"))
	subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	require.NoError(t, err)
	require.Contains(t, subject, "#1 Bcc: thief@example.net body")
	require.Equal(t, note.HTML, partsOf(t, parsed)["text/html"])
}

func TestMailIsEncryptedWhereverItCanBe(t *testing.T) {
	for name, c := range map[string]struct {
		server    reach
		settings  SMTP
		encrypted bool
	}{
		"auto, and STARTTLS is offered":     {startTLS, SMTP{TLS: TLSAuto}, true},
		"auto, and nothing is offered":      {plainOnly, SMTP{TLS: TLSAuto}, false},
		"nothing set":                       {startTLS, SMTP{}, true},
		"starttls":                          {startTLS, SMTP{TLS: TLSStart}, true},
		"implicit":                          {implicitTLS, SMTP{TLS: TLSImplicit}, true},
		"auto on the port of implicit TLS":  {implicitTLS, SMTP{TLS: TLSAuto, Port: 465}, true},
		"off":                               {startTLS, SMTP{TLS: TLSOff}, false},
		"auto on this machine, any name":    {startTLS, SMTP{Host: "localhost", TLS: TLSAuto}, true},
		"auto on this machine, by address":  {startTLS, SMTP{Host: "127.0.0.1", TLS: TLSAuto}, true},
		"auto on this machine, unencrypted": {plainOnly, SMTP{Host: "::1", TLS: TLSAuto}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := startMail(t, c.server)
			e := m.email(t, c.settings)
			require.NoError(t, e.Check(t.Context()))
			require.Empty(t, m.all())
			require.NoError(t, e.Send(t.Context(), note))
			require.Equal(t, c.encrypted, m.all()[0].encrypted)
		})
	}
}

func TestMailIsNotSentWhereEncryptionFails(t *testing.T) {
	for name, c := range map[string]struct {
		server   reach
		settings SMTP
		distrust bool
		says     string
	}{
		"no STARTTLS":                {plainOnly, SMTP{TLS: TLSStart}, false, "offers no STARTTLS; set smtp.tls to implicit"},
		"no TLS at all":              {plainOnly, SMTP{TLS: TLSImplicit}, false, "speaks no TLS on this port; set smtp.tls to starttls"},
		"a strange certificate":      {startTLS, SMTP{TLS: TLSAuto}, true, "not to be trusted"},
		"a strange one, implicit":    {implicitTLS, SMTP{TLS: TLSImplicit}, true, "not to be trusted"},
		"another's certificate":      {startTLS, SMTP{Host: "smtp.example.org", TLS: TLSStart}, false, "set smtp.host to the name on it"},
		"this machine, but by force": {startTLS, SMTP{Host: "localhost", TLS: TLSStart}, false, "set smtp.host to the name on it"},
	} {
		t.Run(name, func(t *testing.T) {
			m := startMail(t, c.server)
			e := m.email(t, c.settings)
			if c.distrust {
				e.server.RootCAs = nil
			}
			for _, err := range []error{e.Check(t.Context()), e.Send(t.Context(), note)} {
				require.True(t, failure(t, err).Permanent)
				require.ErrorContains(t, err, c.says)
			}
			require.Empty(t, m.all())
		})
	}
}

func TestLogIn(t *testing.T) {
	for name, c := range map[string]struct {
		server     reach
		settings   SMTP
		mechanisms []string
	}{
		"PLAIN over STARTTLS":         {startTLS, SMTP{}, []string{"PLAIN", "LOGIN"}},
		"LOGIN over STARTTLS":         {startTLS, SMTP{}, []string{"LOGIN"}},
		"PLAIN over implicit TLS":     {implicitTLS, SMTP{TLS: TLSImplicit}, []string{"PLAIN"}},
		"in clear, on this machine":   {plainOnly, SMTP{Host: "127.0.0.2", TLS: TLSOff}, []string{"PLAIN"}},
		"LOGIN, in clear, on this":    {plainOnly, SMTP{Host: "localhost"}, []string{"LOGIN"}},
		"no log-in, and none offered": {plainOnly, SMTP{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := startMail(t, c.server)
			m.mechanisms = c.mechanisms
			if c.mechanisms != nil {
				c.settings.User, c.settings.Password = mailUser, mailPassword
			}
			e := m.email(t, c.settings)
			require.NoError(t, e.Check(t.Context()))
			require.NoError(t, e.Send(t.Context(), note))
			require.Equal(t, c.settings.User, m.all()[0].user)
		})
	}
}

func TestLogInThatFails(t *testing.T) {
	t.Run("wrong password", func(t *testing.T) {
		m := startMail(t, startTLS)
		m.mechanisms = []string{"PLAIN"}
		e := m.email(t, SMTP{User: mailUser, Password: "wrong"})
		for _, err := range []error{e.Check(t.Context()), e.Send(t.Context(), note)} {
			require.True(t, failure(t, err).Permanent)
			require.EqualError(t, err, "email: the mail server refuses the log-in (535 5.7.8 Authentication failed); check smtp.user and smtp.password")
		}
	})
	t.Run("required, but not set", func(t *testing.T) {
		m := startMail(t, startTLS)
		m.mechanisms = []string{"PLAIN"}
		err := m.email(t, SMTP{}).Send(t.Context(), note)
		require.True(t, failure(t, err).Permanent)
		require.ErrorContains(t, err, "Please authenticate first")
	})
	t.Run("no way to log in with a password", func(t *testing.T) {
		m := startMail(t, startTLS)
		m.mechanisms = []string{"XOAUTH2"}
		err := m.email(t, SMTP{User: mailUser, Password: mailPassword}).Check(t.Context())
		require.True(t, failure(t, err).Permanent)
		require.ErrorContains(t, err, "offers no log-in with a password")
	})
}

func TestThePasswordIsNotSentInClear(t *testing.T) {
	m := startMail(t, plainOnly)
	m.mechanisms = []string{"PLAIN", "LOGIN"}
	e := m.email(t, SMTP{User: mailUser, Password: mailPassword})
	for _, err := range []error{e.Check(t.Context()), e.Send(t.Context(), note)} {
		require.True(t, failure(t, err).Permanent)
		require.ErrorContains(t, err, "the password was not sent; set smtp.tls to implicit")
	}
	require.Contains(t, m.said(), "EHLO")
	require.NotContains(t, m.said(), "\nAUTH")
	_, err := NewEmail(SMTP{Host: "mail.example.com", Port: 25, User: mailUser, Password: mailPassword, From: "a@example.com", TLS: TLSOff}, []string{"b@example.com"}, clock)
	require.ErrorContains(t, err, "the password would travel in clear")
}

var (
	busy    = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted, try again"}
	unknown = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<nobody@example.com>: no such user"}
)

func TestAServersNoSaysWhetherToTryAgain(t *testing.T) {
	for name, c := range map[string]struct {
		set       func(*mailServer)
		permanent bool
		says      string
	}{
		"the sender, for now":  {func(m *mailServer) { m.onMail = busy }, false, "refuses the sender (451 4.7.1 greylisted, try again); check smtp.from"},
		"the sender, for good": {func(m *mailServer) { m.onMail = unknown }, true, "refuses the sender (550 5.1.1 <[address]>: no such user)"},
		"the content, for now": {func(m *mailServer) { m.onData = busy }, false, "does not take the mail (451"},
		"the content":          {func(m *mailServer) { m.onData = unknown }, true, "does not take the mail (550"},
		"the recipient":        {func(m *mailServer) { m.refuse["ops@example.com"] = unknown }, true, "refuses recipient 1 of 1 (550"},
		"the recipient, now":   {func(m *mailServer) { m.refuse["ops@example.com"] = busy }, false, "refuses recipient 1 of 1 (451"},
	} {
		t.Run(name, func(t *testing.T) {
			m := startMail(t, plainOnly)
			c.set(m)
			err := m.email(t, SMTP{}).Send(t.Context(), note)
			require.Equal(t, c.permanent, failure(t, err).Permanent)
			require.ErrorContains(t, err, c.says)
			require.Empty(t, m.all())
		})
	}
	for greeting, permanent := range map[string]bool{"421 too many connections": false, "554 go away": true} {
		err := startScript(t, greeting).email(t, SMTP{}).Check(t.Context())
		require.Equal(t, permanent, failure(t, err).Permanent)
		require.ErrorContains(t, err, greeting)
	}
}

func TestOneRefusedRecipientKeepsMailFromNobodyElse(t *testing.T) {
	m := startMail(t, plainOnly)
	m.refuse["nobody@example.com"] = unknown
	e := m.email(t, SMTP{}, "ops@example.com", "nobody@example.com", "boss@example.com")
	err := e.Send(t.Context(), note)
	require.True(t, failure(t, err).Permanent)
	require.ErrorContains(t, err, "refuses recipient 2 of 3")
	require.Equal(t, []string{"nobody@example.com"}, failure(t, err).Left)
	require.Equal(t, []string{"ops@example.com", "boss@example.com"}, m.all()[0].to)

	m.refuse["boss@example.com"] = busy
	err = e.Send(t.Context(), note)
	require.False(t, failure(t, err).Permanent)
	require.Equal(t, []string{"nobody@example.com", "boss@example.com"}, failure(t, err).Left)
	require.ErrorContains(t, err, "recipient 2 of 3")
	require.ErrorContains(t, err, "recipient 3 of 3")

	m.refuse["ops@example.com"] = busy
	require.Empty(t, failure(t, e.Send(t.Context(), note)).Left, "nobody has it")
	m.refuse, m.onData = map[string]error{"boss@example.com": busy}, busy
	require.Empty(t, failure(t, e.Send(t.Context(), note)).Left, "nobody has it")
}

func TestMailForThoseWhoAreLeftGoesToNobodyElse(t *testing.T) {
	m := startMail(t, plainOnly)
	e := m.email(t, SMTP{}, "ops@example.com", "Boss <boss@example.com>", "ann@example.com")
	left := note
	left.To = []string{"ann@example.com", "gone@example.com"}
	require.NoError(t, e.Send(t.Context(), left))
	require.Equal(t, []string{"ann@example.com"}, m.all()[0].to)
	require.NotContains(t, m.all()[0].content, "boss@example.com")

	m.refuse["boss@example.com"] = unknown
	left.To = []string{"boss@example.com"}
	err := e.Send(t.Context(), left)
	require.Empty(t, failure(t, err).Left)
	require.ErrorContains(t, err, "refuses recipient 2 of 3", "as the config counts them")
}

func TestMailForPeopleWhoAreNotInTheConfigAnyMoreIsDone(t *testing.T) {
	e, err := NewEmail(SMTP{Host: "127.0.0.1", Port: 1, From: "gapless@example.com"}, []string{"ops@example.com"}, clock)
	require.NoError(t, err)
	left := note
	left.To = []string{"gone@example.com"}
	require.NoError(t, e.Send(t.Context(), left), "there is no server, and none is asked")
}

// Silence at any point is ended by the context, and what came before stays true.
func TestASilentServerIsLeftWhenTheContextEnds(t *testing.T) {
	for name, lines := range map[string][]string{
		"after the greeting": {"220 hello"},
		"before the content": {"220 hello", "250 mail", "250 ok", "250 ok"},
		"after the content":  {"220 hello", "250 mail", "250 ok", "250 ok", "354 go on"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScript(t, lines...)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-s.silent; cancel() }()
			err := s.email(t, SMTP{}).Send(ctx, note)
			require.False(t, failure(t, err).Permanent)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, "does not answer in time")
		})
	}
	t.Run("before the greeting", func(t *testing.T) {
		s := startScript(t) // accepts and says nothing
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-s.silent; cancel() }()
		require.ErrorIs(t, s.email(t, SMTP{}).Check(ctx), context.Canceled)
	})
	t.Run("in the middle of TLS", func(t *testing.T) {
		s := startScript(t)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-s.silent; cancel() }()
		require.ErrorIs(t, s.email(t, SMTP{TLS: TLSImplicit}).Check(ctx), context.Canceled)
	})
}

func TestMailThatWasTakenIsTakenHoweverTheServerLeaves(t *testing.T) {
	taken := []string{"220 hello", "250 mail", "250 ok", "250 ok", "354 go on", "250 taken"}
	require.NoError(t, startScript(t, append(taken, "554 no goodbye")...).email(t, SMTP{}).Send(t.Context(), note))

	s := startScript(t, taken...)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.silent; cancel() }()
	require.NoError(t, s.email(t, SMTP{}).Send(ctx, note))
}

func TestNobodyThereIsTriedAgain(t *testing.T) {
	e, err := NewEmail(SMTP{Host: "127.0.0.1", Port: 1, From: "gapless@example.com"}, []string{"ops@example.com"}, clock)
	require.NoError(t, err)
	err = e.Send(t.Context(), note)
	require.False(t, failure(t, err).Permanent)
	require.ErrorContains(t, err, "can't be reached")
	require.ErrorContains(t, err, "check smtp.host, smtp.port and smtp.tls")
}

func TestSettingsThatCanNotWork(t *testing.T) {
	good := SMTP{Host: "mail.example.com", Port: 25, From: "gapless@example.com"}
	to := []string{"ops@example.com"}
	for name, c := range map[string]struct {
		change func(*SMTP)
		to     []string
		says   string
	}{
		"no host":         {func(s *SMTP) { s.Host = "" }, to, "smtp.host is missing"},
		"no port":         {func(s *SMTP) { s.Port = 0 }, to, "smtp.port: 0"},
		"no sender":       {func(s *SMTP) { s.From = "gapless" }, to, "smtp.from is no mail address"},
		"unknown TLS":     {func(s *SMTP) { s.TLS = "ssl" }, to, "smtp.tls is unknown"},
		"nobody":          {func(*SMTP) {}, nil, "nobody is to get mail"},
		"not an address":  {func(*SMTP) {}, []string{"ops@example.com", "boss"}, "recipient 2 of 2"},
		"two lines as to": {func(*SMTP) {}, []string{"a@example.com\r\nRCPT TO:<b@example.com>"}, "recipient 1 of 1"},
	} {
		s := good
		c.change(&s)
		_, err := NewEmail(s, c.to, clock)
		require.ErrorContains(t, err, c.says, name)
	}
}
