package alert

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// mailTimeout bounds one mail: mail servers keep strangers waiting on purpose.
const mailTimeout = 2 * time.Minute

// How a connection to the mail server is encrypted.
const (
	TLSAuto     = "auto"     // STARTTLS where it is offered; implicit on port 465
	TLSStart    = "starttls" // STARTTLS, or nothing is sent
	TLSImplicit = "implicit" // from the first byte on
	TLSOff      = "off"
)

// SMTP is the mail server and how to speak to it.
type SMTP struct {
	Host     string
	Port     int
	User     string // empty: no log-in
	Password string
	From     string // "gapless@example.com" or "Gapless <gapless@example.com>"
	TLS      string // one of the constants; empty: TLSAuto
	// RootCAs are trusted to sign the server's certificate; nil: the system's.
	RootCAs *x509.CertPool
}

// Email sends mail to a fixed list of people.
type Email struct {
	server SMTP
	to     []recipient
	now    func() time.Time
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

var _ Channel = (*Email)(nil)

// recipient is one of the people who get mail.
type recipient struct {
	who   *mail.Address
	place int // in the config, from 1: errors name it instead of the address
}

// path is the bare address, as SMTP takes it.
func (r recipient) path() string { return (&mail.Address{Address: r.who.Address}).String() }

// NewEmail checks the settings and readies the channel; nothing is sent yet. to
// are the recipients, at least one. now is the clock for the Date header.
func NewEmail(server SMTP, to []string, now func() time.Time) (*Email, error) {
	if server.TLS == "" {
		server.TLS = TLSAuto
	}
	if server.TLS == TLSAuto && server.Port == 465 {
		server.TLS = TLSImplicit // which is what that port is for
	}
	if err := server.check(); err != nil {
		return nil, err
	}
	if len(to) == 0 {
		return nil, errors.New("nobody is to get mail; name recipients in email")
	}
	recipients := make([]recipient, len(to))
	for i, address := range to {
		who, err := mail.ParseAddress(address)
		if err != nil {
			return nil, fmt.Errorf("recipient %d of %d is no mail address; write it as in ops@example.com", i+1, len(to))
		}
		recipients[i] = recipient{who, i + 1}
	}
	return &Email{server: server, to: recipients, now: now, dial: (&net.Dialer{}).DialContext}, nil
}

func (s SMTP) check() error {
	switch _, err := mail.ParseAddress(s.From); {
	case s.Host == "":
		return errors.New("smtp.host is missing; write the mail server's name")
	case s.Port < 1 || s.Port > 65535:
		return fmt.Errorf("smtp.port: %d is not a port; write 587, 465 or 25", s.Port)
	case err != nil:
		return errors.New("smtp.from is no mail address; write it as in gapless@example.com")
	case s.TLS == TLSOff && s.User != "" && !s.loopback():
		return errors.New("smtp.tls: the password would travel in clear; write starttls or implicit")
	case s.TLS == TLSAuto, s.TLS == TLSStart, s.TLS == TLSImplicit, s.TLS == TLSOff:
		return nil
	}
	return errors.New("smtp.tls is unknown; write auto, starttls, implicit or off")
}

// loopback says that what is sent stays on this machine.
func (s SMTP) loopback() bool {
	return s.Host == "localhost" || net.ParseIP(s.Host).IsLoopback()
}

// Name is "email".
func (e *Email) Name() string { return "email" }

// Check connects, greets and logs in, and sends nothing.
func (e *Email) Check(ctx context.Context) error {
	ctx, end := context.WithTimeout(ctx, mailTimeout)
	defer end()
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return nil
}

// Send sends one mail to all recipients whom it is for. One whose address the
// server refuses doesn't keep it from the others; the error then tells who is left.
func (e *Email) Send(ctx context.Context, m Message) error {
	ctx, end := context.WithTimeout(ctx, mailTimeout)
	defer end()
	to := e.meant(m.To)
	if len(to) == 0 {
		return nil // the config has none of them any more
	}
	letter, err := e.compose(m, to)
	if err != nil {
		return e.permanent("the mail can't be written; check smtp.from")
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return s.send(letter)
}

// meant are the recipients whom a message is for: only these, or all.
func (e *Email) meant(only []string) []recipient {
	if len(only) == 0 {
		return e.to
	}
	return slices.DeleteFunc(slices.Clone(e.to), func(r recipient) bool { return !slices.Contains(only, r.who.Address) })
}

// letter is a mail ready to go.
type letter struct {
	from    string
	to      []recipient
	content []byte
}

func (e *Email) compose(m Message, to []recipient) (letter, error) {
	at := e.now()
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(e.server.From); err != nil {
		return letter{}, err
	}
	for _, r := range to {
		msg.AddToMailAddress(r.who)
	}
	from, err := msg.GetSender(false)
	if err != nil {
		return letter{}, err
	}
	_, domain, _ := strings.Cut(strings.Trim(from, "<>"), "@")
	msg.SetMessageIDWithValue(digest(m.id(at)) + "@" + domain)
	msg.SetDateWithValue(at)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // or absent people's programs answer it
	msg.Subject(oneLine(m.Subject))
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	var content bytes.Buffer
	_, err = msg.WriteTo(&content)
	return letter{from, to, content.Bytes()}, err
}

func (e *Email) permanent(reason string) *Error {
	return &Error{Channel: e.Name(), Reason: reason, Permanent: true}
}
