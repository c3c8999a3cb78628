package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
)

// mailbox is a real SMTP server that keeps what it takes.
type mailbox struct {
	address string
	mu      sync.Mutex
	mails   []string
}

func openMailbox(t testing.TB) *mailbox {
	t.Helper()
	m := &mailbox{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return m, nil }))
	server.Domain = "mail.example.com"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m.address = listener.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })
	return m
}

func (m *mailbox) Mail(string, *smtp.MailOptions) error { return nil }
func (m *mailbox) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (m *mailbox) Reset()                               {}
func (m *mailbox) Logout() error                        { return nil }

func (m *mailbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, string(text))
	return err
}

// has says whether a mail with these words has come.
func (m *mailbox) has(words string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mail := range m.mails {
		if strings.Contains(mail, words) {
			return nil
		}
	}
	return errors.New("no such mail: " + words)
}

// refusingERP refuses every order.
const refusingERP = `
[[erps]]
name = "books"
kind = "sandbox"
refuse_rate = 1.0
`

func TestPeopleAreToldByMail(t *testing.T) {
	box := openMailbox(t)
	host, port, err := net.SplitHostPort(box.address)
	require.NoError(t, err)
	mail := []string{"GAPLESS_SMTP__HOST=" + host, "GAPLESS_SMTP__PORT=" + port, "GAPLESS_SMTP__TLS=off", "GAPLESS_REPORT__EMAIL=ops@example.com"}
	w := newWorld(t, setup{shop: shopifytest.Options{Zone: time.UTC}, environ: mail, config: refusingERP})
	r := w.serve()
	w.eventually(w.subscribed)
	require.Contains(t, w.gapless("check"), "ok    mail server "+host)
	w.shop.Create()
	require.NoError(t, w.shop.Flush(t.Context()))
	today := time.Now().UTC().Format(time.DateOnly)
	w.eventually(func() error {
		if told := w.gapless("orders", "--state", "parked"); !strings.Contains(told, "#") {
			return fmt.Errorf("nothing is parked: %s", told)
		}
		return nil
	})
	w.gapless("report", "--day", today, "--email")
	w.eventually(func() error { return box.has("Subject: acme, ") })
	require.NoError(t, box.has("waiting for a person"))
	r.stop()
}
