//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
)

const (
	domain = "pretend.myshopify.com"
	secret = "pretend-secret"
	path   = "/webhooks/shopify"
)

// webhook is a signed request, ready to be written to a connection. The
// signature covers the body alone, so a new webhook id makes a new webhook.
type webhook struct {
	head    []byte
	id      int // where in head the webhook id stands
	headers http.Header
	body    []byte
}

// webhooks are n different orders of about 12 KB, as the pretend shop sends them.
func webhooks(t testing.TB, n int) []webhook {
	t.Helper()
	if len(sent) < n {
		sent = catch(t, n)
	}
	return sent[:n]
}

var sent []webhook // made once, since it takes a while

func catch(t testing.TB, n int) (sent []webhook) {
	t.Helper()
	catcher := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		var head bytes.Buffer
		fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", path, len(body))
		if err := r.Header.WriteSubset(&head, map[string]bool{"Content-Length": true}); err != nil {
			panic(err)
		}
		head.WriteString("\r\n")
		id := bytes.Index(head.Bytes(), []byte(r.Header.Get("X-Shopify-Webhook-Id")))
		if len(body) > 11_000 && len(body) < 14_000 && len(sent) < n {
			sent = append(sent, webhook{head.Bytes(), id, r.Header, body}) // Flush sends one after the other
		}
	}))
	defer catcher.Close()
	shop := shopifytest.New(shopifytest.Options{Seed: 1, Domain: domain, WebhookSecret: secret, KeepLog: 1})
	defer shop.Close()
	shop.Subscribe(shopifytest.Subscription{Topic: "orders/create", URI: catcher.URL})
	for len(sent) < n {
		shop.Create()
		require.NoError(t, shop.Flush(t.Context()))
	}
	return sent
}

// load is what a run of requests came to.
type load struct {
	n        int
	rate     float64 // requests a second
	p50, p99 time.Duration
	cost     time.Duration // processor time of the server, a request
}

// poster sends one webhook after the other over a connection until end, and
// returns how long each took.
type poster func(address string, pool []webhook, end time.Time) ([]time.Duration, error)

// drive posts webhooks over n connections at once for d.
func drive(t testing.TB, post poster, address string, pool []webhook, n int, d time.Duration) load {
	t.Helper()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		took   []time.Duration
		failed error
	)
	began := time.Now()
	for range n {
		wg.Go(func() {
			mine, err := post(address, pool, began.Add(d))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	passed := time.Since(began)
	require.NoError(t, failed)
	slices.Sort(took)
	return load{n: len(took), rate: float64(len(took)) / passed.Seconds(), p50: took[len(took)/2], p99: took[len(took)*99/100]}
}

// prepared writes prepared bytes and reads no more than it must, so that the
// server gets the cores.
func prepared(address string, pool []webhook, end time.Time) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	var head []byte
	for began := time.Now(); began.Before(end); {
		hook := pool[rand.IntN(len(pool))]
		head = append(head[:0], hook.head...)
		copy(head[hook.id:], freshID())
		if _, err := (&net.Buffers{head, hook.body}).WriteTo(conn); err != nil {
			return took, err
		}
		if err := accepted(answers); err != nil {
			return took, err
		}
		now := time.Now()
		took = append(took, now.Sub(began))
		began = now
	}
	return took, nil
}

// ordinary posts as most programs do, with the client of net/http.
func ordinary(address string, pool []webhook, end time.Time) (took []time.Duration, err error) {
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for began := time.Now(); began.Before(end); {
		hook := pool[rand.IntN(len(pool))]
		r, err := http.NewRequest(http.MethodPost, "http://"+address+path, bytes.NewReader(hook.body))
		if err != nil {
			return took, err
		}
		r.Header = hook.headers.Clone()
		r.Header["X-Shopify-Webhook-Id"] = []string{freshID()}
		answer, err := client.Do(r)
		if err != nil {
			return took, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return took, err
		}
		if answer.StatusCode != http.StatusOK {
			return took, fmt.Errorf("the server answered %s", answer.Status)
		}
		now := time.Now()
		took = append(took, now.Sub(began))
		began = now
	}
	return took, nil
}

// freshID is a webhook id of the length that the prepared ones have.
func freshID() string { return fmt.Sprintf("%016x-%016x", rand.Uint64(), rand.Uint64()) }

// accepted reads an answer without a body.
func accepted(answers *bufio.Reader) error {
	status, err := answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the server answered %q", status)
	}
	for {
		line, err := answers.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == len("\r\n") {
			return nil
		}
	}
}
