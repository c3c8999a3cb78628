package erptest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gapless/erp"
)

// Handler is the ERP itself, for callers that want the interface.
func (e *ERP) Handler() http.Handler { return e }

// ServeHTTP answers orders and orders/{ref}; anything before "orders" in the
// path is ignored.
func (e *ERP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := readAll(r)
	e.o.Wait(e.o.Latency)
	_, rest, found := strings.Cut(r.URL.Path, "/orders")
	ref := strings.TrimPrefix(rest, "/")
	if !found {
		fail(http.StatusNotFound, "no such path").write(w)
		return
	}
	pass := func() reply { return e.write(r, ref, body) }
	if r.Method == http.MethodGet {
		pass = func() reply { return e.read(r, ref) }
	}
	exchange{
		pass: pass, met: func() {}, gone: func() { gone(r, e.closed) },
		nothing: []byte(`{"error":"internal error"}`),
	}.meet(e.draw(r.Method), w)
}

// draw picks the fault that a request meets.
func (e *ERP) draw(method string) Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	mix := e.faults
	if method == http.MethodGet {
		mix = e.reads
	}
	drawn := None
	if len(mix) > 0 {
		drawn = mix.at(e.random.Float64())
	}
	e.met[drawn]++
	return drawn
}

// at picks the fault at point x in [0, 1).
func (m Mix) at(x float64) Fault {
	for _, f := range Faults {
		if x -= m[f]; x < 0 {
			return f
		}
	}
	return None
}

// incoming is the part of a document the pretend ERP understands.
type incoming struct {
	Ref         string          `json:"ref"`
	Version     string          `json:"version"`
	Total       *erp.Amount     `json:"total"`
	Currency    string          `json:"currency"`
	CancelledAt json.RawMessage `json:"cancelled_at"`
	Lines       []struct {
		SKU      string          `json:"sku"`
		Title    string          `json:"title"`
		Quantity decimal.Decimal `json:"quantity"`
		Amount   *erp.Amount     `json:"amount"`
	} `json:"lines"`
	Customer struct {
		FirstName string `json:"first_name"`
		Email     string `json:"email"`
	} `json:"customer"`
}

func (in incoming) cancelled() bool {
	return len(in.CancelledAt) > 0 && string(in.CancelledAt) != "null"
}

// write carries out a writing request.
func (e *ERP) write(r *http.Request, ref string, body []byte) reply {
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		return fail(http.StatusMethodNotAllowed, "PUT or POST")
	}
	if why := e.unsigned(r, body); why != "" {
		return fail(http.StatusUnauthorized, why)
	}
	var in incoming
	if err := json.Unmarshal(body, &in); err != nil || in.Total == nil {
		return fail(http.StatusBadRequest, "an order with ref and total is wanted")
	}
	if ref == "" {
		ref = in.Ref
	}
	if bad := e.refused(in); bad != nil {
		return *bad
	}
	return e.enter(r, ref, in)
}

// unsigned says why the request's signature is not good, or nothing.
func (e *ERP) unsigned(r *http.Request, body []byte) string {
	if e.signer == nil {
		return ""
	}
	if err := e.signer.VerifyIgnoringTimestamp(body, r.Header); err != nil {
		return err.Error()
	}
	stamp, _ := strconv.ParseInt(r.Header.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if age := e.o.Now().Sub(time.Unix(stamp, 0)); age.Abs() > 5*time.Minute {
		return "the signature's timestamp is off by " + age.String()
	}
	return ""
}

// refused answers 422 to an unknown article. As careless ERPs do, it repeats
// the customer's name and address in the error.
func (e *ERP) refused(in incoming) *reply {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, line := range in.Lines {
		if e.o.SKUs == nil || slices.Contains(e.o.SKUs, line.SKU) {
			continue
		}
		message := fmt.Sprintf("unknown article %s in the order of %s <%s>",
			line.SKU, in.Customer.FirstName, in.Customer.Email)
		body, _ := json.Marshal(map[string]any{"errors": []any{
			map[string]string{"field": fmt.Sprintf("lines[%d].sku", i), "message": message},
		}})
		return &reply{http.StatusUnprocessableEntity, jsonHeader(), body}
	}
	return nil
}

// enter puts the document into the ledger.
func (e *ERP) enter(r *http.Request, ref string, in incoming) reply {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, held := e.o.Now().UTC(), e.docs[ref]
	create := len(held) == 0 || e.o.NoKey && r.Method == http.MethodPost
	status := http.StatusOK
	if create {
		if e.o.NoKey && r.Method == http.MethodPut {
			return fail(http.StatusNotFound, "no order "+ref)
		}
		number := fmt.Sprintf("SO-%d", len(e.changes)+1)
		held = append(held, &entry{doc: Document{CreatedAt: at, Found: erp.Found{Ref: ref, ID: number}}})
		e.docs[ref], status = held, http.StatusCreated
	}
	entry := held[len(held)-1]
	entry.apply(Write{
		Version: in.Version, Total: *in.Total, Currency: in.Currency, Cancelled: in.cancelled(),
		IdempotencyKey: r.Header.Get("Idempotency-Key"), At: at,
	})
	entry.doc.Lines = in.lines()
	entry.last = len(e.changes)
	e.changes = append(e.changes, changeAt{at, entry})
	return reply{status, jsonHeader(), mustJSON(entry.doc.answer())}
}

func (in incoming) lines() []erp.FoundLine {
	var lines []erp.FoundLine
	for _, l := range in.Lines {
		lines = append(lines, erp.FoundLine{SKU: l.SKU, Title: l.Title, Quantity: l.Quantity, Amount: l.Amount})
	}
	return lines
}

func (x *entry) apply(w Write) {
	total := w.Total
	x.doc.Version, x.doc.Total, x.doc.Currency = w.Version, &total, w.Currency
	x.doc.Cancelled, x.doc.UpdatedAt = w.Cancelled, w.At
	x.doc.Writes = append(x.doc.Writes, w)
}

// answer is what the ERP tells of a document.
type answer struct {
	Ref       string     `json:"ref"`
	ID        string     `json:"id"`
	Version   string     `json:"version"`
	Total     erp.Amount `json:"total"`
	Currency  string     `json:"currency"`
	Cancelled bool       `json:"cancelled"`
	UpdatedAt time.Time  `json:"updated_at"`

	Lines []erp.FoundLine `json:"lines,omitempty"` // of a look-up
}

func (d Document) answer() answer {
	return answer{d.Ref, d.ID, d.Version, *d.Total, d.Currency, d.Cancelled, d.UpdatedAt, nil}
}

func (d Document) whole() answer {
	a := d.answer()
	a.Lines = d.Lines
	return a
}

// read answers a look-up, or a list where ref is empty.
func (e *ERP) read(r *http.Request, ref string) reply {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ref == "" {
		return e.list(r)
	}
	var found []answer
	for _, entry := range e.docs[ref] {
		if e.visible(entry) {
			found = append(found, entry.doc.whole())
		}
	}
	switch len(found) {
	case 0:
		return fail(http.StatusNotFound, "no order "+ref)
	case 1:
		return reply{http.StatusOK, jsonHeader(), mustJSON(found[0])}
	}
	return reply{http.StatusOK, jsonHeader(), mustJSON(map[string]any{"orders": found})}
}

func (e *ERP) visible(x *entry) bool {
	return e.o.Now().Sub(x.doc.CreatedAt) >= e.o.Lag
}

// pageSize bounds one page of a list.
const pageSize = 100

// list answers a page of the documents changed since, each at its newest
// change. The cursor is the number of the next change to look at.
func (e *ERP) list(r *http.Request) reply {
	since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
	if err != nil {
		return fail(http.StatusBadRequest, "since must be RFC 3339")
	}
	from := sort.Search(len(e.changes), func(i int) bool { return !e.changes[i].at.Before(since) })
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 {
			return fail(http.StatusBadRequest, "no such cursor")
		}
	}
	page := map[string]any{}
	orders := []answer{}
	for i := from; i < len(e.changes); i++ {
		if len(orders) == pageSize {
			page["next"] = strconv.Itoa(i)
			break
		}
		if x := e.changes[i].entry; x.last == i && e.visible(x) {
			orders = append(orders, x.doc.answer())
		}
	}
	page["orders"] = orders
	return reply{http.StatusOK, jsonHeader(), mustJSON(page)}
}

func fail(status int, why string) reply {
	return reply{status, jsonHeader(), mustJSON(map[string]string{"error": why})}
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// mustJSON encodes the ERP's own types, which always encode.
func mustJSON(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}
