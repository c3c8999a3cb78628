package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	protocol "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is one tab of a real Chromium.
type browser struct {
	testing.TB
	ctx  context.Context
	base string // where Gapless is
	axe  string // the script that judges accessibility
}

// axePackage judges pages by WCAG, with the size of targets, which it leaves out
// unless it is asked for.
const axePackage = "axe-core@4.14.1"

// newBrowser opens a tab until the end of the test. Without Chromium or axe-core
// the test is skipped, but never in CI.
func newBrowser(t testing.TB, base string) *browser {
	t.Helper()
	giveUp := t.Skipf
	if os.Getenv("CI") == "true" {
		giveUp = t.Fatalf
	}
	path := chromium()
	if path == "" {
		giveUp("chromium is not installed; the pages are not looked at in a real browser")
	}
	axe, err := axeScript()
	if err != nil {
		giveUp("axe-core can't be installed; the accessibility of pages is not judged: %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	ctx, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	t.Cleanup(func() { chromedp.Cancel(ctx) })
	require.NoError(t, chromedp.Do(ctx)) // the browser lives as long as the first context it is used with
	return &browser{TB: t, ctx: ctx, base: base, axe: axe}
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// axeScript is installed once into the user's cache.
func axeScript() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "gapless", strings.ReplaceAll(axePackage, "@", "-"))
	file := filepath.Join(home, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(file); err != nil {
		install := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", home, axePackage)
		if out, err := install.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
	}
	script, err := os.ReadFile(file)
	return string(script), err
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	require.NoError(b, chromedp.Do(ctx, actions...))
}

// look shows a page.
func (b *browser) look(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.base + path))
}

// form is how somebody looks at a page.
type form struct {
	width int64
	theme string
}

func (f form) String() string { return fmt.Sprintf("%d-%s", f.width, f.theme) }

// forms are a desktop's and a phone's, each by day and by night.
var forms = []form{{1280, "light"}, {1280, "dark"}, {360, "light"}, {360, "dark"}}

// as sets the size of the screen and the system's theme.
func (b *browser) as(width int64, theme string) {
	b.Helper()
	b.do(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media)
		return err
	}))
}

// withScripts says whether pages that are looked at from now on may run theirs.
func (b *browser) withScripts(may bool) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !may})
		return err
	}))
}

func (b *browser) click(selector string) {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

func (b *browser) keys(text string) {
	b.Helper()
	for _, key := range text {
		b.do(chromedp.KeyEvent(string(key)))
	}
}

// makeOwner becomes the first admin by the one-time link, and is logged in then.
func (b *browser) makeOwner(secret, password string) {
	b.Helper()
	b.look("/setup/" + secret)
	b.fill("#name", "owner")
	b.fill("#password", password)
	b.fill("#again", password)
	b.enter()
	b.sees(`location.pathname === "/" && document.readyState === "complete"`)
}

func (b *browser) enter() {
	b.Helper()
	b.do(chromedp.KeyEvent(kb.Enter))
}

// value is what an expression comes to on the page.
func value[T any](b *browser, expression string) (v T) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(b, err, expression)
	return v
}

// sees waits until an expression is true on the page.
func (b *browser) sees(expression string) {
	b.Helper()
	deadline := time.Now().Add(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for ; time.Now().Before(deadline); <-again.C {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		cancel()
		if err == nil && yes { // an error: the page is just being left
			return
		}
	}
	b.Fatalf("the page never came to %s; it shows:\n%s", expression, value[string](b, `document.body.innerText`))
}

// reads waits until the page holds a text.
func (b *browser) reads(text string) {
	b.Helper()
	quoted, err := json.Marshal(text)
	require.NoError(b, err)
	b.sees(`document.readyState === "complete" && document.body.innerText.includes(` + string(quoted) + `)`)
}

// faults are what is wrong with the page: violations of WCAG, and what sticks
// out of the screen.
func (b *browser) faults() string {
	b.Helper()
	b.sees(`document.readyState === "complete"`)
	if wide := value[string](b, tooWide); wide != "" {
		return "wider than the screen: " + wide
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](b.axe+judge, chromedp.EvalAwaitPromise))
	require.NoError(b, err)
	return found
}

const (
	tooWide = `document.documentElement.scrollWidth <= innerWidth ? "" : [...document.querySelectorAll("main *, header *")]
		.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120)).slice(0, 3).join("\n") || "something"`
	judge = `; axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then(r => r.violations.map(v => v.id + ": " + v.help + "\n" +
		v.nodes.slice(0, 3).map(n => "  " + n.html.slice(0, 200) + "\n  " + n.failureSummary).join("\n")).join("\n"))`
)

// downloads clicks on what hands over a file, and returns the file as it was saved.
func (b *browser) downloads(selector string) (name string, content []byte) {
	b.Helper()
	dir, events := b.TempDir(), true
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	_, err := chromedp.Call(ctx, protocol.SetDownloadBehavior, protocol.SetDownloadBehaviorParams{
		Behavior: protocol.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, EventsEnabled: &events,
	})
	require.NoError(b, err)
	saved := func(e protocol.EventDownloadProgress) bool { return e.State == protocol.DownloadProgressStateCompleted }
	_, err = chromedp.Run(ctx, chromedp.WaitEvent(protocol.DownloadProgress, saved, chromedp.Click(chromedp.CSS(selector))))
	require.NoError(b, err, selector)
	files, err := os.ReadDir(dir)
	require.NoError(b, err)
	require.Len(b, files, 1)
	content, err = os.ReadFile(filepath.Join(dir, files[0].Name()))
	require.NoError(b, err)
	return files[0].Name(), content
}

// keepShot leaves a picture of the page in the folder GAPLESS_SHOTS, if it is named.
func (b *browser) keepShot(name string) {
	b.Helper()
	dir := os.Getenv("GAPLESS_SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// inAllForms has pages judged at both sizes and in both themes.
func (b *browser) inAllForms(paths map[string]string) {
	b.Helper()
	for _, f := range forms {
		b.as(f.width, f.theme)
		for name, path := range paths {
			b.look(path)
			assert.Empty(b, b.faults(), "%s, %s", name, f)
			b.keepShot(fmt.Sprintf("%s-%s", name, f))
		}
	}
}

// fill types into a field.
func (b *browser) fill(field, text string) {
	b.Helper()
	b.click(field)
	b.keys(text)
}
