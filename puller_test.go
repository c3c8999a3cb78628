package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"gapless/ui"
)

// puller is what an ERP's owner runs beside it: it fetches what is on offer,
// writes it into the ERP, and acknowledges. It keeps to the two rules of
// erp/pull: the reference is the key, and an older version never takes the place
// of a newer one.
type puller struct {
	feed  string // its address, up to the ERP's name
	token string
	books string // address of the pretend ERP
	desk  *desk
	// trouble is asked about each order and each acknowledgement; nil: there is none.
	trouble func() trouble
}

// trouble is what befalls a puller.
type trouble int

const (
	fine        trouble = iota
	diesFetched         // after fetching, before writing
	diesWritten         // after writing, before it acknowledges
	twice               // acknowledges twice
	backwards           // acknowledges in another order
)

// pullerPause passes before a puller asks a server again that is down.
const pullerPause = 20 * time.Millisecond

// troubled draws a trouble in one case of three.
func troubled(seed uint64) func() trouble {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	return func() trouble {
		mu.Lock()
		defer mu.Unlock()
		return max(trouble(random.IntN(12)-7), fine)
	}
}

// run pulls until ctx ends.
func (p *puller) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := p.round(ctx); err != nil {
			waitFor(ctx, pullerPause)
		}
	}
}

// round fetches what there is, and deals with each order.
func (p *puller) round(ctx context.Context) error {
	var told ui.Offers
	if err := p.ask(ctx, http.MethodGet, p.feed+"/orders?wait=60&limit=5", nil, &told); err != nil {
		return err
	}
	var acks []ui.Ack
	for _, o := range told.Orders {
		happens := p.happens()
		if happens == diesFetched {
			return nil
		}
		ack, err := p.write(ctx, o)
		if err != nil || happens == diesWritten {
			return err
		}
		if acks = append(acks, ack); happens == twice {
			acks = append(acks, ack)
		}
		if happens == backwards {
			acks[0], acks[len(acks)-1] = acks[len(acks)-1], acks[0]
		}
	}
	_, err := p.ack(ctx, acks...)
	return err
}

func (p *puller) happens() trouble {
	if p.trouble == nil {
		return fine
	}
	return p.trouble()
}

// ack acknowledges, and returns the answers.
func (p *puller) ack(ctx context.Context, acks ...ui.Ack) ([]ui.Acked, error) {
	if len(acks) == 0 {
		return nil, nil
	}
	body, err := json.Marshal(map[string]any{"acks": acks})
	if err != nil {
		return nil, err
	}
	var told ui.Acks
	err = p.ask(ctx, http.MethodPost, p.feed+"/ack", body, &told)
	return told.Acks, err
}

// desk is where pullers write into the pretend ERP, one at a time. It knows which
// offer each of its documents is of.
type desk struct {
	sync.Mutex
	seqs map[string]int64
}

// write brings one order into the ERP, unless the ERP holds a newer one, and says
// what to acknowledge.
func (p *puller) write(ctx context.Context, o ui.Offer) (ui.Ack, error) {
	p.desk.Lock()
	defer p.desk.Unlock()
	ack := ui.Ack{Ref: o.Ref, Version: o.Version, Status: "taken"}
	if o.Seq < p.desk.seqs[o.Ref] {
		return ack, nil
	}
	var there struct{ ID, Total, Currency string }
	err := p.put(ctx, p.books+"/orders/"+o.Ref, o, &there)
	var refused *answered
	if errors.As(err, &refused) && refused.status == http.StatusUnprocessableEntity {
		return refusalOf(ack, refused.body), nil
	}
	if err == nil {
		p.desk.seqs[o.Ref] = o.Seq
	}
	ack.ID, ack.Total, ack.Currency = there.ID, there.Total, there.Currency
	return ack, err
}

// put sends the order as the pretend ERP wants it.
func (p *puller) put(ctx context.Context, address string, o ui.Offer, into any) error {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(o.Order, &body); err != nil {
		return err
	}
	body["version"], _ = json.Marshal(o.Version)
	if o.Cancelled && string(body["cancelled_at"]) == "null" {
		body["cancelled_at"] = body["updated_at"]
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return p.ask(ctx, http.MethodPut, address, text, into, "Idempotency-Key", o.Ref+":"+o.Version)
}

// refusalOf hands on what the ERP says, word for word.
func refusalOf(ack ui.Ack, body []byte) ui.Ack {
	var told struct {
		Errors []struct{ Field, Message string }
	}
	ack.Status = "refused"
	if err := json.Unmarshal(body, &told); err == nil && len(told.Errors) > 0 {
		ack.Reason, ack.Field = told.Errors[0].Message, told.Errors[0].Field
	}
	return ack
}

// answered is an answer with another status than 2xx.
type answered struct {
	status int
	body   []byte
}

func (a *answered) Error() string { return fmt.Sprintf("%d: %s", a.status, a.body) }

// ask makes one request and reads its JSON.
func (p *puller) ask(ctx context.Context, method, url string, body []byte, into any, header ...string) error {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Close = true
	r.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(url, p.feed) {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &answered{resp.StatusCode, text}
	}
	return json.Unmarshal(text, into)
}
