package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Message is what people are told. Each channel takes what it can show.
type Message struct {
	// ID is unique to the message and stays the same when it is sent again, so
	// that receivers know a repetition. Empty: every sending counts as another.
	ID      string
	Kind    string // what it is about, in one word: "gaps", "report", "checks"
	Subject string // one line
	Text    string
	HTML    string // a whole document for mail; empty: text alone
	Data    any    // for programs: what it is about, as encoding/json writes it
	// To are the only ones of the channel's recipients whom it is for, as Error.Left
	// names them; empty: all. Only mail has recipients.
	To []string
}

// Channel carries messages to people. Implementations are safe for concurrent
// use.
//
// What a channel promises:
//
//   - Send returns nil only if the other side has taken the message for everybody
//     whom it is for, or if none of these is a recipient any more.
//   - Every error is an *Error, fit for logs: its reason names what to mend and
//     holds no secret and no personal data.
//   - Send ends when the context does, and by itself after two minutes at most.
//   - A message may arrive twice where an answer was lost and the caller tried
//     again; its ID then tells that it is the same.
type Channel interface {
	// Name is one word for logs and pages: "email", "slack", "webhook".
	Name() string
	Send(ctx context.Context, m Message) error
}

// Error is why a message was not taken, or not by all.
type Error struct {
	Channel string // the channel's name
	Reason  string // one plain sentence that says what to do
	// Permanent says that it stays so until a person has mended something: the
	// same message need not be sent again before.
	Permanent bool
	// After is how long the other side asks to be left alone; 0 where it did
	// not say. At most a day.
	After time.Duration
	// Left are the recipients who have not taken it where the others have: it is to
	// be sent again to these alone. Empty: nobody has taken it. They are people's
	// addresses, and stand in no text of the error.
	Left []string

	cause error // the context's, where it ended the call
}

// Error is the channel and the reason.
func (e *Error) Error() string { return e.Channel + ": " + e.Reason }

// Unwrap gives context.Canceled or context.DeadlineExceeded where that was it.
func (e *Error) Unwrap() error { return e.cause }

// id tells one sending from all others if the message has no ID of its own.
func (m Message) id(now time.Time) string {
	if m.ID != "" {
		return m.ID
	}
	return digest(fmt.Sprintf("%q %q %q %d", m.Kind, m.Subject, m.Text, now.UnixNano()))
}

// digest is short and made of letters and digits alone.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
