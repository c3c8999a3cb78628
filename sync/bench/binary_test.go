//go:build linux

package bench

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

const binary = "../../gapless" // as `make build` makes it

// BenchmarkBinary measures the program itself over a store of 100,000 orders:
// its size, its first answer, its memory at rest, and its intake with the whole
// appliance at work behind the door.
func BenchmarkBinary(b *testing.B) {
	info, err := os.Stat(binary)
	if os.IsNotExist(err) {
		b.Skip("there is no gapless binary; make build makes it")
	}
	require.NoError(b, err)
	const mib = 1 << 20
	target("size of the binary in MiB", "under 45", []float64{float64(info.Size()) / mib})

	folder := b.TempDir()
	manyOrders(b, filepath.Join(folder, "gapless.db"), 100_000)
	config := writeConfig(b, folder)
	var answered []float64
	for range *rounds {
		p, took := startBinary(b, config)
		answered = append(answered, took.Seconds()*1e3)
		p.kill(b)
	}
	target("first answer in ms after a crash, 100,000 orders", "under 200", answered)

	began := time.Now()
	p, _ := startBinary(b, config)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "gapless.db")+"?mode=ro")
	require.NoError(b, err)
	defer db.Close()
	require.Eventually(b, func() bool { return firstJobsDone(b, db, began) }, time.Minute, 50*time.Millisecond)
	target("memory at rest in MiB, 100,000 orders", "under 40", []float64{p.memory(b, "VmRSS")})

	pool, ceiling := webhooks(b, 256), start(b, "ceiling")
	var shares []float64
	for range *rounds {
		limit := turn(b, prepared, ceiling, pool, 64, *span)
		shares = append(shares, turn(b, prepared, p, pool, 64, *span).rate/limit.rate)
	}
	target("intake at 64, engine at work, of the ceiling", "-", shares)
	target("intake, engine at work, peak memory in MiB", "under 90", []float64{p.memory(b, "VmHWM")})
	p.kill(b)
}

// firstJobsDone says whether a program that began then has its webhooks, has polled,
// and has ended its first comparison.
func firstJobsDone(b *testing.B, db *sql.DB, began time.Time) (done bool) {
	b.Helper()
	err := db.QueryRow(`SELECT EXISTS (SELECT 1 FROM shops WHERE subscribed_at >= $1 AND polled_at >= $1)
		AND EXISTS (SELECT 1 FROM runs WHERE started_at >= $1 AND ended_at > 0)`, began.UnixMicro()).Scan(&done)
	require.NoError(b, err)
	return done
}

// manyOrders makes a store of n delivered orders of last month, each with its
// event, all of them compared today. It was not closed well: many webhook ids are
// still to be read again at the start.
func manyOrders(b *testing.B, file string, n int) {
	b.Helper()
	s, err := store.Open(b.Context(), store.Options{Path: file})
	require.NoError(b, err)
	began := time.Now().AddDate(0, -1, 0)
	for first := 1; first <= n; first += 1000 {
		in := store.Intake{Through: int64(first + 999), At: began}
		for i := first; i < first+1000; i++ {
			at := began.Add(time.Duration(i) * time.Millisecond)
			in.Orders = append(in.Orders, store.Wanted{ERP: "books", Order: store.Order{
				OrderKey: store.OrderKey{Shop: "acme", ID: int64(i)}, Name: fmt.Sprint("#", i), Version: "1", Hash: fmt.Sprint(i), Currency: "EUR", Total: "19.90",
				CreatedAt: at, UpdatedAt: at, EventID: int64(i), Content: webhooks(b, 256)[i%256].body,
			}})
		}
		require.NoError(b, s.ApplyIntake(b.Context(), in))
	}
	deep := store.Run{Shop: "acme", Kind: store.RunDeep, By: "bench", From: began, To: time.Now()}
	require.NoError(b, s.BeginRun(b.Context(), &deep))
	deep.State = store.RunDone
	require.NoError(b, s.SaveRun(b.Context(), &deep))
	require.NoError(b, s.Close())
	db, err := sql.Open("sqlite", "file:"+file) // what no method of the store does
	require.NoError(b, err)
	defer db.Close()
	for _, change := range []string{
		`UPDATE deliveries SET state = 'delivered', held = wanted, present = 1`,
		`INSERT INTO events (id, shop, source, topic, webhook_id, event_id, headers, triggered_at, received_at, size)
			SELECT id, shop, 'webhook', 'orders/create', hex(randomblob(16)), '', '{}', created_at, created_at, 12000 FROM orders`,
		`INSERT INTO seen (key) SELECT randomblob(16) FROM events WHERE id <= 70000`,
		`INSERT INTO meta (key, value) VALUES ('folded', '70000') ON CONFLICT DO UPDATE SET value = excluded.value`,
	} {
		_, err := db.Exec(change)
		require.NoError(b, err, change)
	}
}

// writeConfig has a shop that answers and an ERP that is never called.
func writeConfig(b *testing.B, folder string) string {
	b.Helper()
	shop := shopifytest.New(shopifytest.Options{Domain: domain, WebhookSecret: secret})
	api := httptest.NewServer(shop)
	b.Cleanup(func() { api.Close(); shop.Close() })
	file := filepath.Join(folder, "config.toml")
	require.NoError(b, os.WriteFile(file, fmt.Appendf(nil, `
[server]
listen = "127.0.0.1:0"
public_url = "https://orders.example.com"
[store]
url = "sqlite:%s"
[[shops]]
name = "acme"
domain = "%s"
access_token = "pretend-token"
webhook_secrets = ["%s"]
erp = "books"
api_url = "%s"
[[erps]]
name = "books"
kind = "sandbox"
`, filepath.Join(folder, "gapless.db"), domain, secret, api.URL), 0o600))
	return file
}

var listening = regexp.MustCompile(`listen=(\S+)`)

// startBinary starts `gapless serve` and says how long it took to answer.
func startBinary(b *testing.B, config string) (*process, time.Duration) {
	b.Helper()
	p := &process{Cmd: exec.CommandContext(b.Context(), binary, "serve", "--config", config)}
	stderr, err := p.StderrPipe()
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, p.Start())
	lines := bufio.NewReader(stderr)
	for p.address == "" {
		line, err := lines.ReadString('\n')
		require.NoError(b, err, "the program ended early")
		if found := listening.FindStringSubmatch(line); found != nil {
			p.address = found[1]
		}
	}
	answer, err := http.Get("http://" + p.address + "/livez")
	took := time.Since(began)
	require.NoError(b, err)
	require.NoError(b, answer.Body.Close())
	require.Equal(b, http.StatusOK, answer.StatusCode)
	go io.Copy(io.Discard, lines) // until the process ends
	return p, took
}

// kill ends the program as a crash does, so that the next start recovers.
func (p *process) kill(b *testing.B) {
	b.Helper()
	require.NoError(b, p.Process.Kill())
	require.Error(b, p.Wait(), "killed")
}
