package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// longestSlack is what Slack shows of a text, with room to spare; it cuts off
// what is beyond 40,000 characters.
const longestSlack = 30_000

// Slack posts to an incoming webhook of Slack, or of a chat that takes the same.
type Slack struct{ *poster }

var _ Channel = (*Slack)(nil)

// NewSlack readies the channel; nothing is sent yet. address is the webhook's. It
// counts as a secret, so the error doesn't repeat it. Of the client all is taken
// but the way it handles redirects; now is the clock for Retry-After.
func NewSlack(address string, client *http.Client, now func() time.Time) (*Slack, error) {
	p, err := newPoster("slack", "alerts.slack_url", address, client, now)
	if err != nil {
		return nil, err
	}
	return &Slack{p}, nil
}

// mrkdwn escapes what Slack reads as a link or as a mention of people.
var mrkdwn = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Send posts the subject in bold, and of the text as many lines as Slack shows.
func (s *Slack) Send(ctx context.Context, m Message) error {
	text := "*" + mrkdwn.Replace(oneLine(m.Subject)) + "*\n" + mrkdwn.Replace(m.Text)
	body, err := json.Marshal(map[string]string{"text": shown(text)})
	if err != nil {
		return &Error{Channel: s.channel, Reason: "the message can't be written as JSON", Permanent: true}
	}
	return s.post(ctx, http.Header{}, body, slackCode)
}

var slackWord = regexp.MustCompile(`^[a-z_]{1,40}$`)

// slackCode is Slack's word for what is wrong, such as no_service.
func slackCode(answer []byte) string {
	return slackWord.FindString(strings.TrimSpace(string(answer)))
}

// shown is what Slack shows of a text, in whole lines. Only a list of gaps gets
// longer; its end then says how many lines there are beyond.
func shown(text string) string {
	fits := clip(text, longestSlack)
	if fits == text {
		return text
	}
	fits = fits[:strings.LastIndexByte(fits, '\n')+1]
	hidden := len(strings.FieldsFunc(text[len(fits):], func(r rune) bool { return r == '\n' }))
	return fits + fmt.Sprintf("…\n%d more lines are not shown here; the Gaps page has them all.", hidden)
}

// clip cuts a text after so many characters.
func clip(text string, most int) string {
	for at := range text {
		if most--; most < 0 {
			return text[:at] + "…"
		}
	}
	return text
}

// oneLine takes line breaks and runs of blanks out of a text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
