package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gapless/store"
	"gapless/ui"
)

type serveCommand struct{}

// Run serves until the process is told to stop.
func (serveCommand) Run(ctx context.Context, p *Program, c *commands) error {
	config, err := p.config(c.Config)
	if err != nil {
		return err
	}
	log := p.logger(config)
	a, err := openAppliance(ctx, config, false, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", config.Server.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on server.listen: %w; is another program using that address?", err), a.Close())
	}
	if config.Store.EncryptionKey == "" {
		log.Warn("store.encryption_key is empty: orders and webhook bodies are stored in clear")
	}
	log.Info("Gapless is ready", "version", version, "listen", listener.Addr().String(), "shops", len(config.Shops), "erps", len(config.ERPs))
	return errors.Join(a.Run(ctx, listener), a.Close())
}

// guest opens the whole appliance beside a running `gapless serve`, for what
// asks a shop or an ERP.
func (p *Program) guest(ctx context.Context, c *commands) (*Appliance, error) {
	config, err := p.config(c.Config)
	if err != nil {
		return nil, err
	}
	a, err := openAppliance(ctx, config, true, p.logger(config))
	return a, explained(err)
}

// guestStore opens the store alone, beside a running `gapless serve`. It works
// though an ERP's settings are wrong.
func (p *Program) guestStore(ctx context.Context, c *commands) (*store.Store, error) {
	config, err := p.config(c.Config)
	if err != nil {
		return nil, err
	}
	a := newAppliance(config, p.logger(config))
	err = a.openStore(ctx, true)
	return a.Store, explained(err)
}

func explained(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w; there is no store yet: start `gapless serve` once", err)
	}
	return err
}

type pollCommand struct {
	Shop string `help:"Only this shop." placeholder:"NAME"`
}

// Run polls now. What it finds is fetched and delivered by the running appliance.
func (cmd pollCommand) Run(ctx context.Context, p *Program, c *commands) error {
	a, err := p.guest(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	found := false
	for _, s := range a.Config.Shops {
		if cmd.Shop != "" && cmd.Shop != s.Name {
			continue
		}
		found = true
		r, err := a.Engine.Poll(ctx, s.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout, "%s: %d orders changed between %s and %s; %d are fetched\n", s.Name, r.Seen, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Fetched)
	}
	if !found {
		return usageError{fmt.Errorf("there is no shop named %q in the config", cmd.Shop)}
	}
	return nil
}

type ordersCommand struct {
	Order string `arg:"" optional:"" help:"Name (#1001) or id of one order to show."`
	Shop  string `help:"Only this shop." placeholder:"NAME"`
	State string `help:"Only this state." enum:",due,sending,delivered,unknown,parked,excluded" default:""`
	Limit int    `help:"At most this many." default:"50"`
	JSON  bool   `help:"As the API tells it."`
}

// Run lists orders, or shows the one named.
func (cmd ordersCommand) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	filter := store.OrderFilter{Shop: cmd.Shop, State: cmd.State, Limit: cmd.Limit}
	filter.Name, filter.ID = nameOrID(cmd.Order)
	views, err := db.Orders(ctx, filter)
	if err == nil && len(views) == 0 && filter.ID != 0 { // people say 1001 for #1001
		filter.ID, filter.Name = 0, "#"+cmd.Order
		views, err = db.Orders(ctx, filter)
	}
	if err != nil {
		return err
	}
	if cmd.Order != "" && len(views) == 0 {
		return fmt.Errorf("there is no order %s here", cmd.Order)
	}
	if cmd.JSON {
		orders := []ui.Order{}
		for _, v := range views {
			orders = append(orders, ui.OrderOf(v.Order, v.Delivery))
		}
		return writeJSON(p.Stdout, orders)
	}
	if cmd.Order != "" {
		return showOrder(ctx, p.Stdout, db, views[0])
	}
	table := newTable(p.Stdout, "SHOP", "ORDER", "ID", "STATE", "TOTAL", "ERP", "ERP REF", "UPDATED", "REASON")
	for _, v := range views {
		table.row(v.Shop, v.Name, v.ID, v.Delivery.State, v.Total+" "+v.Currency, v.Delivery.ERP, v.Delivery.ERPRef, v.UpdatedAt.Format(time.RFC3339), v.Delivery.Reason)
	}
	return table.flush()
}

// showOrder tells everything that happened to one order.
func showOrder(ctx context.Context, w io.Writer, s *store.Store, v store.OrderView) error {
	fmt.Fprintf(w, "%s %s (%d), %s %s, updated %s\n", v.Shop, printable(v.Name), v.ID, v.Total, v.Currency, v.UpdatedAt.Format(time.RFC3339))
	fmt.Fprintf(w, "  %s: %s, wanted %s, held %s\n", v.Delivery.ERP, v.Delivery.State, v.Delivery.Wanted, v.Delivery.Held)
	if v.Delivery.Reason != "" {
		fmt.Fprintf(w, "  %s\n  %s\n", printable(v.Delivery.Reason), printable(v.Delivery.Hint))
	}
	decisions, err := s.Decisions(ctx, v.OrderKey, 500)
	if err != nil {
		return err
	}
	tries, err := s.Tries(ctx, store.TryFilter{Order: v.OrderKey, Limit: 100})
	if err != nil {
		return err
	}
	table := newTable(w, "AT", "STEP", "OUTCOME", "DETAIL")
	for _, h := range history(decisions, tries) {
		table.row(h.at.Format(time.RFC3339), h.step, h.outcome, h.detail)
	}
	return table.flush()
}

// happened is one thing that was decided about an order, or tried.
type happened struct {
	at                    time.Time
	step, outcome, detail string
}

// history is all that happened to an order, oldest first. What led to what may
// have happened at one moment: a try stands before what was decided by it.
func history(decisions []store.Decision, tries []store.Try) []happened {
	var all []happened
	for i := len(tries) - 1; i >= 0; i-- {
		t := tries[i]
		h := happened{t.StartedAt, t.Action + " to " + t.ERP, "cut off, or under way", ""}
		if t.Outcome != nil {
			h.outcome, h.detail = t.Outcome.Result, t.Outcome.Reason
		}
		all = append(all, h)
	}
	for _, d := range decisions {
		all = append(all, happened{d.At, d.Step, d.Outcome, d.Detail})
	}
	slices.SortStableFunc(all, func(a, b happened) int { return a.at.Compare(b.at) })
	return all
}

// nameOrID tells an order's name from its id.
func nameOrID(text string) (name string, id int64) {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		return "", id
	}
	return text, 0
}

type eventsCommand struct {
	ID    int64  `arg:"" optional:"" help:"One event to show, with its body."`
	Shop  string `help:"Only this shop." placeholder:"NAME"`
	Topic string `help:"Only this topic." placeholder:"TOPIC"`
	Limit int    `help:"At most this many." default:"50"`
	JSON  bool   `help:"As the API tells it."`
}

// Run lists events, or shows the one named with its body as it came.
func (cmd eventsCommand) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	if cmd.ID != 0 {
		e, err := db.Event(ctx, cmd.ID)
		if err != nil {
			return err
		}
		_, err = p.Stdout.Write(append(e.Body, '\n'))
		return err
	}
	events, err := db.Events(ctx, store.EventFilter{Shop: cmd.Shop, Topic: cmd.Topic, Limit: cmd.Limit})
	if err != nil {
		return err
	}
	if cmd.JSON {
		told := []ui.Event{}
		for _, e := range events {
			told = append(told, ui.EventOf(e))
		}
		return writeJSON(p.Stdout, told)
	}
	table := newTable(p.Stdout, "ID", "SHOP", "SOURCE", "TOPIC", "RECEIVED", "BYTES", "WEBHOOK ID")
	for _, e := range events {
		table.row(e.ID, e.Shop, e.Source, e.Topic, e.ReceivedAt.Format(time.RFC3339), e.Size, e.WebhookID)
	}
	return table.flush()
}

type replayCommand struct {
	Order  []string `help:"Name or id of an order; several times for several." placeholder:"NAME-OR-ID"`
	State  string   `help:"All orders in this state." enum:",due,delivered,unknown,parked,excluded" default:""`
	Shop   string   `help:"Only this shop." placeholder:"NAME"`
	From   string   `help:"Only orders first seen from this day on." placeholder:"2006-01-02"`
	To     string   `help:"Only orders first seen before this day." placeholder:"2006-01-02"`
	DryRun bool     `help:"Show the ERP calls it would make, and make none."`
	JSON   bool     `help:"With --dry-run: as JSON."`
}

// Run asks for a replay, which the running appliance carries out, or shows
// what it would come to.
func (cmd replayCommand) Run(ctx context.Context, p *Program, c *commands) error {
	if len(cmd.Order) == 0 && cmd.State == "" {
		return usageError{errors.New("say which orders: --order NAME-OR-ID, or --state parked")}
	}
	a, err := p.guest(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	keys, err := cmd.find(ctx, a.Store)
	if err != nil {
		return err
	}
	if cmd.DryRun {
		return cmd.plan(ctx, p.Stdout, a, keys)
	}
	started, err := a.Engine.Replay(ctx, keys, byCommand)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%d of %d orders are verified in their ERP and sent again where needed\n", started, len(keys))
	return nil
}

func (cmd replayCommand) find(ctx context.Context, s *store.Store) ([]store.OrderKey, error) {
	from, err1 := day(cmd.From)
	to, err2 := day(cmd.To)
	if err := errors.Join(err1, err2); err != nil {
		return nil, usageError{err}
	}
	var keys []store.OrderKey
	for _, text := range append(cmd.Order, "") {
		filter := store.OrderFilter{Shop: cmd.Shop, State: cmd.State, Limit: 500}
		if text == "" && (cmd.State == "" || len(cmd.Order) > 0) {
			continue
		}
		filter.Name, filter.ID = nameOrID(text)
		found, err := matching(ctx, s, filter, from, to)
		if err != nil {
			return nil, err
		}
		if text != "" && len(found) == 0 {
			return nil, fmt.Errorf("there is no order %s here", text)
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// matching walks all pages of a filter.
func matching(ctx context.Context, s *store.Store, f store.OrderFilter, from, to time.Time) ([]store.OrderKey, error) {
	var keys []store.OrderKey
	for {
		views, err := s.Orders(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			if (from.IsZero() || !v.FirstSeenAt.Before(from)) && (to.IsZero() || v.FirstSeenAt.Before(to)) {
				keys = append(keys, v.OrderKey)
			}
		}
		if len(views) < f.Limit {
			return keys, nil
		}
		last := views[len(views)-1]
		f.Before = store.Cursor{SeenAt: last.FirstSeenAt, ID: last.ID}
	}
}

func day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, text)
}

func (cmd replayCommand) plan(ctx context.Context, w io.Writer, a *Appliance, keys []store.OrderKey) error {
	plans := []ui.Plan{}
	for _, k := range keys {
		plan, err := (actions{a.Engine}).Plan(ctx, k)
		if err != nil {
			return err
		}
		plans = append(plans, plan)
	}
	if cmd.JSON {
		return writeJSON(w, plans)
	}
	for _, plan := range plans {
		fmt.Fprintf(w, "%s (%s): %s", printable(plan.Order), plan.Ref, plan.Action)
		if plan.Reason != "" {
			fmt.Fprintf(w, ", %s", printable(plan.Reason))
		}
		fmt.Fprintln(w)
		for _, call := range plan.Calls {
			fmt.Fprintf(w, "\n  %s %s\n", call.Method, call.URL)
			for _, name := range slices.Sorted(maps.Keys(call.Header)) {
				fmt.Fprintf(w, "  %s: %s\n", name, call.Header[name])
			}
			fmt.Fprintf(w, "\n  %s\n", printable(call.Body))
		}
	}
	return nil
}

// byCommand is who acts where nobody has logged in, for the record.
const byCommand = "the command line"

type tokenCommand struct {
	Add    tokenAdd    `cmd:"" help:"Make a token; it is shown once."`
	List   tokenList   `cmd:"" help:"List tokens."`
	Remove tokenRemove `cmd:"" help:"End a token."`
}

type tokenAdd struct {
	Name  string `arg:"" help:"What the token is for."`
	Scope string `help:"What it may do." enum:"viewer,operator,admin,metrics" default:"viewer"`
}

// Run makes a token and prints it, this once.
func (cmd tokenAdd) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	secret, err := db.AddToken(ctx, cmd.Name, cmd.Scope, byCommand)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Stdout, secret)
	fmt.Fprintln(p.Stderr, "Keep it now: only its hash is stored.")
	return nil
}

type tokenList struct{}

// Run lists tokens, without their secrets.
func (tokenList) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	tokens, err := db.Tokens(ctx)
	if err != nil {
		return err
	}
	table := newTable(p.Stdout, "NAME", "SCOPE", "MADE")
	for _, t := range tokens {
		table.row(t.Name, t.Scope, t.CreatedAt.Format(time.RFC3339))
	}
	return table.flush()
}

type tokenRemove struct {
	Name string `arg:"" help:"Of the token."`
}

// Run ends a token.
func (cmd tokenRemove) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.RemoveToken(ctx, cmd.Name, byCommand)
}

type backupCommand struct {
	Path string `arg:"" help:"File to write."`
}

// Run copies a store, in use or not.
func (cmd backupCommand) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := os.Stat(cmd.Path); err == nil {
		return fmt.Errorf("%s exists; choose a new name, so that no older backup is lost", cmd.Path)
	}
	if err := db.Backup(ctx, cmd.Path); err != nil {
		return err
	}
	info, err := os.Stat(cmd.Path)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s: %d bytes, verified\n", filepath.Clean(cmd.Path), info.Size())
	return nil
}

type versionCommand struct{}

// Run prints what an operator is asked for.
func (versionCommand) Run(p *Program) error {
	fmt.Fprintf(p.Stdout, "gapless %s (commit %s)\n%s %s/%s\nSQLite %s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, store.SQLiteVersion())
	return nil
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// table lines columns up.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)}
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	return t
}

func (t table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, printable(fmt.Sprint(c)))
	}
	fmt.Fprintln(t)
}

func (t table) flush() error { return t.Flush() }

// printable keeps what a customer wrote from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
