package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Letter is something that people are to be told by one channel. It is kept
// until the channel has taken it, so that neither a mail server that is down nor
// a restart swallows it.
type Letter struct {
	ID      int64
	Channel string
	To      []string // the only ones of the channel's recipients who have not got it yet; none: all
	Kind    string
	Subject string
	Text    string
	HTML    string
	Data    json.RawMessage
	MadeAt  time.Time
	Tries   int
	Error   string // why the last try failed
}

// keepSent is how long letters that were sent are kept.
const keepSent = 30 * 24 * time.Hour

func post(t *tx, letters []Letter, now time.Time) error {
	for _, l := range letters {
		if err := t.exec(`INSERT INTO letters (channel, kind, subject, text, html, data, made_at, next_at, tries, sent_at, error)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, 0, '')`, l.Channel, l.Kind, l.Subject, l.Text, l.HTML, jsonText(l.Data), micros(now)); err != nil {
			return fmt.Errorf("keep a letter: %w", err)
		}
	}
	return nil
}

// Told keeps letters about gaps and, in the same transaction, notes that people
// are told: of those that are open, and that those that closed are.
func (s *Store) Told(ctx context.Context, letters []Letter, gaps []Gap) error {
	now := s.now()
	return s.writer.apply(ctx, Letters, func(t *tx) error {
		if err := post(t, letters, now); err != nil {
			return err
		}
		for _, g := range gaps {
			at := micros(now)
			if g.State == GapClosed {
				at = 0
			}
			if err := t.exec(`UPDATE gaps SET alerted_at = $1 WHERE id = $2`, at, g.ID); err != nil {
				return err
			}
			if err := gapStep(t, g.ID, now, "alerted", "", g.State); err != nil {
				return err
			}
		}
		return nil
	})
}

// Untold lists gaps that people should be told of: open since before first and
// not told of, open and told of before again, or closed since they were told.
// What they never heard of comes first, then what they heard of longest ago, so
// that no reminder takes the place of news.
func (s *Store) Untold(ctx context.Context, first, again time.Time, limit int) ([]Gap, error) {
	return s.gaps(ctx, `SELECT `+gapColumns+fromGaps+` WHERE g.id IN (
			SELECT id FROM gaps WHERE state IN ('open', 'healing') AND ((alerted_at = 0 AND first_seen <= $1) OR (alerted_at > 0 AND alerted_at <= $2))
			UNION ALL SELECT id FROM gaps WHERE closed_at > 0 AND alerted_at > 0)
		ORDER BY g.alerted_at, g.id LIMIT $3`, micros(first), micros(again), limit)
}

// DueLetters lists letters that are to be sent now by a channel, oldest first.
func (s *Store) DueLetters(ctx context.Context, channel string, limit int) ([]Letter, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT id, channel, recipients, kind, subject, text, html, data, made_at, tries, error FROM letters
		WHERE sent_at = 0 AND next_at <= $1 AND channel = $2 ORDER BY next_at LIMIT $3`, micros(s.now()), channel, limit)
	if err != nil {
		return nil, fmt.Errorf("list letters: %w", err)
	}
	defer rows.Close()
	var letters []Letter
	for rows.Next() {
		var l Letter
		var made int64
		var to, data string
		if err := rows.Scan(&l.ID, &l.Channel, &to, &l.Kind, &l.Subject, &l.Text, &l.HTML, &data, &made, &l.Tries, &l.Error); err != nil {
			return nil, err
		}
		if to != "" {
			if err := json.Unmarshal([]byte(to), &l.To); err != nil {
				return nil, fmt.Errorf("read whom letter %d is left for: %w", l.ID, err)
			}
		}
		l.MadeAt, l.Data = timeOf(made), json.RawMessage(data)
		letters = append(letters, l)
	}
	return letters, rows.Err()
}

// WaitingChannels are the channels that letters wait for.
func (s *Store) WaitingChannels(ctx context.Context) ([]string, error) {
	var names []string
	err := s.each(ctx, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	}, `SELECT DISTINCT channel FROM letters WHERE sent_at = 0 AND next_at > 0`)
	return names, err
}

// LetterSent notes that its channel has taken a letter, and forgets those that
// were sent long ago.
func (s *Store) LetterSent(ctx context.Context, id int64) error {
	now := s.now()
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := t.exec(`UPDATE letters SET sent_at = $1, error = '' WHERE id = $2`, micros(now), id); err != nil {
			return err
		}
		return t.exec(`DELETE FROM letters WHERE sent_at > 0 AND sent_at < $1`, micros(now.Add(-keepSent)))
	})
}

// LetterFailed notes why a letter was not taken, when to try again, and which of
// the channel's recipients are left; none: all of them.
func (s *Store) LetterFailed(ctx context.Context, id int64, left []string, next time.Time, why string) error {
	to := ""
	if len(left) > 0 {
		list, err := json.Marshal(left)
		if err != nil {
			return err
		}
		to = string(list)
	}
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`UPDATE letters SET tries = tries + 1, recipients = $1, next_at = $2, error = $3 WHERE id = $4`, to, micros(next), why, id)
	})
}

// GiveUpLetter forgets a letter that no channel will take any more.
func (s *Store) GiveUpLetter(ctx context.Context, id int64) error {
	return s.writer.apply(ctx, 0, func(t *tx) error { return t.exec(`DELETE FROM letters WHERE id = $1`, id) })
}

// UnsentLetters counts the letters that a channel did not take so far, and tells
// why the newest of them was not taken.
func (s *Store) UnsentLetters(ctx context.Context) (n int64, why string, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT count(*),
			coalesce((SELECT error FROM letters WHERE sent_at = 0 AND tries > 0 ORDER BY made_at DESC, id DESC LIMIT 1), '')
		FROM letters WHERE sent_at = 0 AND tries > 0`).Scan(&n, &why)
	return n, why, err
}
