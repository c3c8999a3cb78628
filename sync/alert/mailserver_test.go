package alert

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

const (
	mailUser     = "gapless"
	mailPassword = "correct horse battery"
)

// mailServer is a real SMTP server on loopback that keeps what it takes.
type mailServer struct {
	addr string
	pool *x509.CertPool // trusts its certificate

	// Set before the first mail comes.
	mechanisms []string // to log in; none: no log-in
	refuse     map[string]error
	onMail     error
	onData     error

	mu    sync.Mutex
	mails []taken
	wire  bytes.Buffer // both directions, in clear
}

// taken is one mail and how it came.
type taken struct {
	from      string
	to        []string
	content   string
	user      string
	encrypted bool
}

// The ways a server is reached.
type reach int

const (
	plainOnly reach = iota
	startTLS
	implicitTLS
)

func startMail(t *testing.T, how reach) *mailServer {
	t.Helper()
	m := &mailServer{refuse: map[string]error{}}
	certificate, pool := selfMade(t)
	m.pool = pool
	s := smtp.NewServer(m)
	s.Domain, s.AllowInsecureAuth, s.Debug = "mail.example.com", true, lockedWriter{m}
	s.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m.addr = listener.Addr().String()
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	switch how {
	case startTLS:
		s.TLSConfig = config
	case implicitTLS:
		listener = tls.NewListener(listener, config)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(listener) })
	t.Cleanup(func() { _ = s.Close(); serving.Wait() })
	return m
}

// selfMade is a certificate for mail.example.com that no authority signed.
func selfMade(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mail.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// email is a channel to the server, which it knows by the name given.
func (m *mailServer) email(t *testing.T, s SMTP, to ...string) *Email {
	t.Helper()
	if s.Host == "" {
		s.Host = "mail.example.com"
	}
	if s.Port == 0 {
		s.Port = 587
	}
	s.From, s.RootCAs = "Gapless <gapless@example.com>", m.pool
	if len(to) == 0 {
		to = []string{"ops@example.com"}
	}
	e, err := NewEmail(s, to, clock)
	require.NoError(t, err)
	e.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, m.addr)
	}
	return e
}

func clock() time.Time { return time.Date(2026, 11, 22, 13, 10, 0, 0, time.UTC) }

func (m *mailServer) all() []taken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]taken(nil), m.mails...)
}

// said is all that went over the wire.
func (m *mailServer) said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wire.String()
}

type lockedWriter struct{ m *mailServer }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return w.m.wire.Write(p)
}

func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s := &mailSession{m: m}
	_, s.now.encrypted = c.TLSConnectionState()
	return s, nil
}

// mailSession is one connection's.
type mailSession struct {
	m   *mailServer
	now taken
}

func (s *mailSession) AuthMechanisms() []string { return s.m.mechanisms }

func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != mailUser || password != mailPassword {
			return smtp.ErrAuthFailed
		}
		s.now.user = user
		return nil
	}
	if mechanism == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.m.mechanisms != nil && s.now.user == "" {
		return smtp.ErrAuthRequired
	}
	s.now.from = from
	return s.m.onMail
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.m.refuse[to]; err != nil {
		return err
	}
	s.now.to = append(s.now.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err := errors.Join(err, s.m.onData); err != nil {
		if s.m.onData != nil {
			return s.m.onData
		}
		return err
	}
	s.now.content = string(content)
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.mails = append(s.m.mails, s.now)
	return nil
}

func (s *mailSession) Reset()        { s.now.from, s.now.to = "", nil }
func (s *mailSession) Logout() error { return nil }

// loginServer is the LOGIN mechanism, which the library has for clients alone.
type loginServer struct {
	check func(user, password string) error
	user  string
	asked int
}

func (l *loginServer) Next(answer []byte) ([]byte, bool, error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(answer)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(answer))
}

// script is a server that answers each line from the client with the next one
// of its own, and falls silent when it has none left.
type script struct {
	addr   string
	silent chan struct{} // closed when it has nothing left to say
}

func startScript(t *testing.T, lines ...string) *script {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &script{addr: listener.Addr().String(), silent: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		from := bufio.NewReader(conn)
		for _, line := range lines {
			if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
				return
			}
			if strings.HasPrefix(line, "354") {
				for text := ""; text != ".\r\n" && err == nil; {
					text, err = from.ReadString('\n')
				}
			} else {
				_, err = from.ReadString('\n')
			}
			if err != nil {
				return
			}
		}
		close(s.silent)
		_, _ = io.Copy(io.Discard, from) // until the client hangs up
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return s
}

func (s *script) email(t *testing.T, server SMTP) *Email {
	t.Helper()
	return (&mailServer{addr: s.addr}).email(t, server)
}
