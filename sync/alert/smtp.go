package alert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail/smtp"
)

// session is one conversation with the mail server.
type session struct {
	e      *Email
	ctx    context.Context
	client *smtp.Client
	stop   func() bool
}

// open connects, greets, encrypts and logs in, as far as each is asked for. The
// conversation breaks off when the context ends.
func (e *Email) open(ctx context.Context) (*session, error) {
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, e.failed(ctx, "can't be reached", "check smtp.host, smtp.port and smtp.tls", err)
	}
	s := &session{e: e, ctx: ctx, stop: context.AfterFunc(ctx, func() { conn.Close() })}
	if s.client, err = smtp.NewClient(conn, e.server.Host); err != nil {
		s.stop()
		conn.Close()
		return nil, e.failed(ctx, "does not greet", "check smtp.host, smtp.port and smtp.tls", err)
	}
	for _, step := range []func() error{s.greet, s.encrypt, s.logIn} {
		if err := step(); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (e *Email) connect(ctx context.Context) (net.Conn, error) {
	conn, err := e.dial(ctx, "tcp", net.JoinHostPort(e.server.Host, strconv.Itoa(e.server.Port)))
	if err != nil || e.server.TLS != TLSImplicit {
		return conn, err
	}
	encrypted := tls.Client(conn, e.tlsConfig())
	if err := encrypted.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return encrypted, nil
}

// tlsConfig trusts any certificate on this very machine unless encryption was
// asked for by name: a mail server's own is rarely made out to localhost.
func (e *Email) tlsConfig() *tls.Config {
	return &tls.Config{
		ServerName: e.server.Host, RootCAs: e.server.RootCAs, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: e.server.TLS == TLSAuto && e.server.loopback(),
	}
}

func (s *session) greet() error {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	if err := s.client.Hello(name); err != nil {
		return s.failed("refuses our greeting", "check smtp.host and smtp.port", err)
	}
	return nil
}

func (s *session) encrypt() error {
	if s.e.server.TLS == TLSImplicit || s.e.server.TLS == TLSOff {
		return nil
	}
	if offered, _ := s.client.Extension("STARTTLS"); !offered {
		if s.e.server.TLS == TLSStart {
			return s.e.permanent("the mail server offers no STARTTLS; set smtp.tls to implicit, or to auto if it may stay unencrypted")
		}
		return nil
	}
	if err := s.client.StartTLS(s.e.tlsConfig()); err != nil {
		return s.failed("starts no encryption", "check smtp.host and smtp.tls", err)
	}
	return nil
}

func (s *session) logIn() error {
	server := s.e.server
	if server.User == "" {
		return nil
	}
	if _, encrypted := s.client.TLSConnectionState(); !encrypted && !server.loopback() {
		return s.e.permanent("the mail server offers no encryption, so the password was not sent; set smtp.tls to implicit, or use a server with STARTTLS")
	}
	_, offered := s.client.Extension("AUTH")
	auth := server.auth(strings.Fields(strings.ToUpper(offered)))
	if auth == nil {
		return s.e.permanent("the mail server offers no log-in with a password; check smtp.port and smtp.tls, or leave smtp.user out")
	}
	if err := s.client.Auth(auth); err != nil {
		return s.failed("refuses the log-in", "check smtp.user and smtp.password", err)
	}
	return nil
}

// auth is the first way to log in that both sides know, or nil. The connection
// is known to be safe.
func (s SMTP) auth(offered []string) smtp.Auth {
	switch {
	case slices.Contains(offered, "PLAIN"):
		return smtp.PlainAuth("", s.User, s.Password, s.Host, true)
	case slices.Contains(offered, "LOGIN"):
		return smtp.LoginAuth(s.User, s.Password, s.Host, true)
	case slices.Contains(offered, "SCRAM-SHA-256"):
		return smtp.ScramSHA256Auth(s.User, s.Password)
	case slices.Contains(offered, "CRAM-MD5"):
		return smtp.CRAMMD5Auth(s.User, s.Password)
	}
	return nil
}

// send hands the letter over to those recipients whom the server takes. The error
// tells who is left.
func (s *session) send(l letter) error {
	if err := s.client.Mail(l.from); err != nil {
		return s.failed("refuses the sender", "check smtp.from", err)
	}
	var refused []*Error
	var left []string
	for _, r := range l.to {
		if err := s.client.Rcpt(r.path()); err != nil {
			refused = append(refused, s.failed(fmt.Sprintf("refuses recipient %d of %d", r.place, len(s.e.to)), "check the address", err))
			left = append(left, r.who.Address)
		}
	}
	if len(left) == len(l.to) {
		return together(refused)
	}
	if err := s.hand(l.content); err != nil {
		return s.failed("does not take the mail", "see its log", err)
	}
	if len(left) == 0 {
		return nil
	}
	err := together(refused)
	err.Left = left
	return err
}

func (s *session) hand(content []byte) error {
	w, err := s.client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Close()
}

// together is permanent only if every one is. It is called with at least one.
func together(errs []*Error) *Error {
	all := *errs[0]
	for _, e := range errs[1:] {
		all.Reason += "; " + e.Reason
		all.Permanent = all.Permanent && e.Permanent
		if all.cause == nil {
			all.cause = e.cause
		}
	}
	return &all
}

// goodbye is how long a server may take to answer ours.
const goodbye = 5 * time.Second

// close says goodbye if the server still listens. What it took it keeps.
func (s *session) close() {
	_ = s.client.UpdateDeadline(goodbye)
	_ = s.client.Quit()
	s.stop()
	_ = s.client.Close()
}

func (s *session) failed(what, fix string, err error) *Error {
	return s.e.failed(s.ctx, what, fix, err)
}

// failed judges what went wrong in a conversation. Servers say with 5xx that it
// stays so; a certificate stays as it is too.
func (e *Email) failed(ctx context.Context, what, fix string, err error) *Error {
	f := &Error{Channel: e.Name()}
	var reply *textproto.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch cause := ctx.Err(); {
	case cause != nil:
		f.cause, f.Reason = cause, "the mail server does not answer in time; check smtp.host, smtp.port and smtp.tls"
	case errors.As(err, &reply):
		f.Permanent = reply.Code >= 500
		f.Reason = fmt.Sprintf("the mail server %s (%s); %s", what, e.quote(fmt.Sprintf("%d %s", reply.Code, reply.Msg)), fix)
	case errors.As(err, &certificate):
		f.Permanent = true
		f.Reason = fmt.Sprintf("the mail server's certificate is not to be trusted (%v); set smtp.host to the name on it, or install its issuer's certificate on this machine", certificate.Err)
	case errors.As(err, &record):
		f.Permanent, f.Reason = true, "the mail server speaks no TLS on this port; set smtp.tls to starttls, or smtp.port to 465"
	default:
		f.Reason = fmt.Sprintf("the mail server %s (%s); %s", what, e.quote(err.Error()), fix)
	}
	return f
}

const longestReply = 200

var mailAddress = regexp.MustCompile(`[^\s<>",;:()]+@[^\s<>",;:()]+`)

// quote is what the server said, on one line, without people's addresses or our
// password.
func (e *Email) quote(text string) string {
	text = mailAddress.ReplaceAllString(text, "[address]")
	if e.server.Password != "" {
		text = strings.ReplaceAll(text, e.server.Password, "[secret]")
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || unicode.IsSpace(r) {
			return r
		}
		return -1
	}, text)
	return clip(oneLine(text), longestReply)
}
