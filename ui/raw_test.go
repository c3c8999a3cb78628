package ui

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// came keeps a message with a body and returns where its page is.
func (s *site) came(source string, body []byte) string {
	s.Helper()
	e := &store.Event{Shop: "acme", Source: source, Topic: "orders/create", WebhookID: fmt.Sprintf("%s %.20x", source, body), Headers: `{}`, ReceivedAt: epoch, Body: body}
	_, err := s.store.Append(s.Context(), e)
	require.NoError(s, err)
	return fmt.Sprintf("/events/%d", e.ID)
}

func TestWhatCameIsHandedOverToTheByte(t *testing.T) {
	s := newPages(t)
	for name, body := range map[string]string{
		"spaced": "{ \"id\":1,\r\n\"name\" : \"#1\"}\n", "no text": "\xff\x00\xfe", "long": `{"note":"` + strings.Repeat("x", 200<<10) + `"}`,
	} {
		path := s.came(store.SourceWebhook, []byte(body))
		a := s.html("GET", path+"/raw", "")
		require.Equal(t, http.StatusOK, a.status)
		require.Equal(t, body, a.body, name)
		require.Equal(t, `attachment; filename="gapless-message-`+path[len("/events/"):]+`.json"`, a.header.Get("Content-Disposition"))
		require.Equal(t, []string{"nosniff", "application/octet-stream"}, []string{a.header.Get("X-Content-Type-Options"), a.header.Get("Content-Type")})
		page := s.html("GET", path, "").body
		require.Contains(t, page, `href="`+path+`/raw"`)
		require.Equal(t, name == "long", strings.Contains(page, "only its begin"), name)
		require.Equal(t, name != "long", strings.Contains(page, `data-copy="raw"`), "what is cut is not copied as if it were whole")
	}
	for _, path := range []string{"/events/999/raw", "/events/x/raw", "/calls/999", "/calls/999/raw", "/calls/x", s.came(store.SourceWebhook, nil) + "/raw"} {
		require.Equal(t, http.StatusNotFound, s.html("GET", path, "").status, path)
	}
}

func TestOnlyWhoSeesCustomersDataGetsItRaw(t *testing.T) {
	s := newPages(t, func(o *Options) { o.Open = false })
	s.member("ann", "admin")
	s.member("bob", "viewer")
	s.member("kim", "operator")
	viewer, operator := s.visitor().logIn("bob"), s.visitor().logIn("kim")
	for _, path := range []string{"/events/1/raw", "/calls/1/raw"} {
		require.Equal(t, http.StatusForbidden, viewer.open(path).status)
		require.Equal(t, http.StatusOK, operator.open(path).status)
	}
	for page, said := range map[string]string{"/events/1": `&#34;id&#34;: 1`, "/calls/1": "PUT"} {
		require.NotContains(t, viewer.open(page).body, said)
		require.NotContains(t, viewer.open(page).body, page+"/raw")
		require.Contains(t, viewer.open(page).body, html.EscapeString(hidden))
		require.Contains(t, operator.open(page).body, said)
	}
}

func TestEveryCallHasAPageHoweverManyCameAfter(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	s.tell(keys("acme", 1, 1)...)
	for range mostSaid + 3 {
		s.attempt(1)
		_, err := s.store.Replay(t.Context(), []store.DeliveryKey{{OrderKey: store.OrderKey{Shop: "acme", ID: 1}, ERP: "books"}}, "ann")
		require.NoError(t, err)
	}
	order := s.html("GET", "/orders/acme/1?all=yes", "").body
	for id := range mostSaid + 3 {
		path := fmt.Sprintf("/calls/%d", id+1)
		require.Contains(t, order, `href="`+path+`"`)
		page := s.html("GET", path, "")
		require.Equal(t, http.StatusOK, page.status)
		require.Contains(t, page.body, `href="/orders/acme/1"`)
		require.Contains(t, page.body, "<figcaption>PUT</figcaption>")
		require.JSONEq(t, `[{"request":"PUT"}]`, s.html("GET", path+"/raw", "").body)
	}
}

// The command is given to a real shell, where one is, with a curl that only notes
// what it is given.
func TestTheCommandSendsWhatCameSignedAnew(t *testing.T) {
	s := newPages(t)
	for _, body := range []string{`{"note":"it's $HOME"}`, `{"note":"` + strings.Repeat("x", mostCurl) + `"}`, "\xff\xfe"} {
		path := s.came(store.SourceWebhook, []byte(body))
		shown := regexp.MustCompile(`(?s)<code id="curl">(.*?)</code>`).FindStringSubmatch(s.html("GET", path, "").body)
		require.NotNil(t, shown)
		mac := hmac.New(sha256.New, []byte("shh"))
		mac.Write([]byte(body))
		require.Contains(t, s.run(html.UnescapeString(shown[1]), path, body), "X-Shopify-Hmac-Sha256: "+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	require.Contains(t, s.html("GET", s.came(store.SourceRefetch, []byte("{}")), "").body, "there is no message that could be sent once more")
	require.Contains(t, s.html("GET", s.came(store.SourceWebhook, nil), "").body, "is not kept here, so it can&#39;t be sent once more")
}

// run lets a shell run the command beside the downloaded file.
func (s *site) run(command, path, body string) string {
	s.Helper()
	for _, tool := range []string{"sh", "openssl", "base64"} {
		if _, err := exec.LookPath(tool); err != nil {
			s.Skip("there is no " + tool)
		}
	}
	dir := s.TempDir()
	require.NoError(s, os.WriteFile(filepath.Join(dir, "gapless-message-"+path[len("/events/"):]+".json"), []byte(body), 0o600))
	shell := exec.CommandContext(s.Context(), "sh", "-c", `SECRET=shh; curl() { printf '%s\n' "$@"; }`+"\n"+command)
	shell.Dir = dir
	said, err := shell.CombinedOutput()
	require.NoError(s, err, string(said))
	return string(said)
}
