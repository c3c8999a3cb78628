package tryton

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"gapless/erp"
)

const (
	// maxAnswer bounds an answer. A page of sales takes well under a megabyte.
	maxAnswer = 16 << 20
	// maxWarnings bounds how many different warnings one call may raise.
	maxWarnings = 5
	// After a refused log-in nobody logs in for firstPause, twice as long after
	// each further one: Tryton answers each wrong password more slowly and then
	// locks out the right one too.
	firstPause = time.Minute
	lastPause  = time.Hour
)

// request is one call of a method. Every call ends with a context; more is what
// this one adds to the session's.
type request struct {
	method string
	params []any
	more   map[string]any
}

func ask(method string, params ...any) request { return request{method: method, params: params} }

// client speaks JSON-RPC with one database as one user, in one session that
// all calls share.
type client struct {
	root, database string
	user, password string
	http           *http.Client
	timeout        time.Duration
	now            func() time.Time

	door chan struct{} // holds one token; who has it may log in

	mu          sync.Mutex
	session     *session
	closedUntil time.Time // no log-in before
	pause       time.Duration
}

// session is a log-in that works until Tryton says 401.
type session struct {
	user    int64
	header  string
	context map[string]any // company and language, sent with every call
}

func newClient(s Settings, c *http.Client, now func() time.Time) *client {
	return &client{
		root: s.URL + "/", database: s.URL + "/" + s.Database + "/",
		user: s.User, password: s.Password,
		http: c, timeout: s.Timeout, now: now, door: make(chan struct{}, 1),
	}
}

// conn is the client in one delivery.
type conn struct {
	*client
	t     *erp.Transcript
	wrote *bool // whether this delivery has changed something
}

// read calls a method that changes nothing. Where it fails after a write, what
// that write led to stays unknown.
func (c conn) read(ctx context.Context, out any, r request) error {
	_, err := c.call(ctx, out, r, false)
	var f *failure
	if *c.wrote && errors.As(err, &f) {
		f.result = erp.Unknown
	}
	return err
}

// write calls a method that changes something. A warning is for people at the
// screen: it is answered with "yes, this once", and the call made again.
func (c conn) write(ctx context.Context, out any, r request) error {
	for range maxWarnings {
		warning, err := c.call(ctx, out, r, true)
		if err != nil {
			return err
		}
		if warning == "" {
			*c.wrote = true
			return nil
		}
		s, err := c.open(ctx)
		if err != nil {
			return err
		}
		yes := ask("model.res.user.warning.create",
			[]any{map[string]any{"user": s.user, "name": warning, "always": false}})
		if _, err := c.call(ctx, nil, yes, true); err != nil {
			return err
		}
	}
	return &failure{result: erp.Retry, reason: "Tryton keeps asking for confirmation of warnings"}
}

// call makes the call and reads its result into out. On 401 it logs in again,
// once. It returns the name of the warning where Tryton only gave one.
func (c conn) call(ctx context.Context, out any, r request, writes bool) (warning string, err error) {
	for again := false; ; again = true {
		s, err := c.open(ctx)
		if err != nil {
			return "", err
		}
		body, err := body(r, s.context)
		if err != nil {
			return "", err
		}
		answer, err := c.post(ctx, c.database, body, s.header, body)
		if err != nil {
			return "", noAnswer(writes, err)
		}
		if answer.status == http.StatusUnauthorized && !again {
			c.drop(s)
			continue
		}
		return answer.result(out, writes)
	}
}

// body is the call on the wire. Exactly these three keys make Tryton answer
// errors as JSON instead of as HTML.
func body(r request, context map[string]any) ([]byte, error) {
	whole := map[string]any{}
	maps.Copy(whole, context)
	maps.Copy(whole, r.more)
	b, err := json.Marshal(map[string]any{
		"id": 1, "method": r.method, "params": append(slices.Clone(r.params), whole),
	})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.method, err)
	}
	return b, nil
}

// post sends body and notes shown in the transcript in its place.
func (c conn) post(ctx context.Context, url string, body []byte, session string, shown []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if session != "" {
		req.Header.Set("Authorization", session)
	}
	req.Close = true // trytond closes anyway; a stale connection would look like a lost answer
	n := c.t.Ask(req.Method, url, shown)
	got, err := c.roundTrip(req)
	if session == "" {
		c.t.Answer(n, got.status, nil, err) // the answer to a log-in is a secret
	} else {
		c.t.Answer(n, got.status, got.body, err)
	}
	return got, err
}

func (c conn) roundTrip(req *http.Request) (answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("the answer is over %d bytes", maxAnswer)
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return answer{
		status: resp.StatusCode, body: body,
		after: time.Duration(max(0, min(seconds, 3600))) * time.Second,
	}, err
}

// open returns the session, logging in where there is none.
func (c conn) open(ctx context.Context) (*session, error) {
	ended := &failure{result: erp.Retry, reason: "the call was ended before it was sent"}
	if ctx.Err() != nil {
		return nil, ended
	}
	select {
	case c.door <- struct{}{}:
		defer func() { <-c.door }()
	case <-ctx.Done():
		return nil, ended
	}
	c.mu.Lock()
	s, wait := c.session, c.closedUntil.Sub(c.now())
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	if wait > 0 {
		return nil, &failure{result: erp.Retry, after: wait, reason: badLogin}
	}
	s, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session, c.pause = s, 0
	return s, nil
}

const badLogin = "Tryton refuses the log-in; correct user and password of this ERP in the config and run `gapless check`"

// login opens a session and asks for the preferences that go with every call.
func (c conn) login(ctx context.Context) (*session, error) {
	params := func(password string) []byte {
		b, _ := json.Marshal(map[string]any{ // strings only: it can't fail
			"id": 1, "method": "common.db.login",
			"params": []any{c.user, map[string]string{"password": password}, "en"},
		})
		return b
	}
	got, err := c.post(ctx, c.database, params(c.password), "", params("***"))
	if err != nil {
		return nil, noAnswer(false, err)
	}
	switch got.status {
	case http.StatusUnauthorized, http.StatusTooManyRequests:
		return nil, &failure{result: erp.Retry, after: c.close(), reason: badLogin}
	case http.StatusNotFound:
		return nil, &failure{result: erp.Retry, reason: "Tryton has no such database; correct `database` in the config"}
	}
	var pair [2]json.RawMessage
	if _, err := got.result(&pair, false); err != nil {
		return nil, err
	}
	s := &session{}
	var key string
	if json.Unmarshal(pair[0], &s.user) != nil || json.Unmarshal(pair[1], &key) != nil {
		return nil, &failure{result: erp.Retry, reason: "Tryton's answer to the log-in can't be read"}
	}
	s.header = "Session " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d:%s", c.user, s.user, key))
	preferences, err := body(ask("model.res.user.get_preferences", true), map[string]any{})
	if err != nil {
		return nil, err
	}
	if got, err = c.post(ctx, c.database, preferences, s.header, preferences); err != nil {
		return nil, noAnswer(false, err)
	}
	_, err = got.result(&s.context, false)
	return s, err
}

// close bars log-ins for a while and says for how long.
func (c *client) close() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pause = min(max(firstPause, 2*c.pause), lastPause)
	c.closedUntil = c.now().Add(c.pause)
	return c.pause
}

// drop forgets s, unless another call has already replaced it.
func (c *client) drop(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == s {
		c.session = nil
	}
}
