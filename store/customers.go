package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Orders are found by their customer's e-mail address, or by words of their
// name, without either being kept: what is kept is the beginning of each one's
// HMAC-SHA256 under a key of this database. Whoever has a file of it can't guess
// names and see which are there, unless they have that key too.
//
// The key is drawn at random and kept in meta, packed as bodies are: encrypted
// where there is an encryption key. Without one it lies beside what it hides, as
// the bodies lie there in clear. It is not derived from the encryption key, so
// that a database that is given one later is searched as before.

// How much of the names of one order it is found by.
const (
	mostTokens = 24
	mostWord   = 64 // characters
)

// searchKey reads the key of the tokens, or draws it. A guest that comes before
// the owner finds nobody.
func (s *Store) searchKey(ctx context.Context, guest bool) error {
	var kept string
	err := s.control.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'search_key'`).Scan(&kept)
	switch {
	case err == nil:
		packed, err := base64.StdEncoding.DecodeString(kept)
		if err != nil {
			return fmt.Errorf("read the search key: %w", err)
		}
		if s.search, err = s.codec.unpack(packed); err != nil {
			return fmt.Errorf("read the search key: %w", err)
		}
		if s.codec.sealed(packed) || guest {
			return nil
		}
	case !errors.Is(err, sql.ErrNoRows):
		return err
	case guest:
		return nil
	default:
		s.search = make([]byte, 32)
		rand.Read(s.search) // never fails
	}
	_, err = s.control.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('search_key', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
		base64.StdEncoding.EncodeToString(s.codec.pack(s.search)))
	return err
}

// tokens are what texts are found by, e-mail addresses and names, each once.
func (s *Store) tokens(texts []string) []int64 {
	var all []int64
	for _, text := range texts {
		for _, word := range searchWords(text) {
			mac := hmac.New(sha256.New, s.search)
			mac.Write([]byte(word))
			token := int64(binary.BigEndian.Uint64(mac.Sum(nil)))
			if !slices.Contains(all, token) && len(all) < mostTokens {
				all = append(all, token)
			}
		}
	}
	return all
}

// plainLetters are those that Unicode does not take for a letter with a mark.
var plainLetters = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i")

// searchWords are the words of a text without case and marks; an e-mail address
// is one word.
func searchWords(text string) []string {
	runes := []rune(strings.TrimSpace(text))
	text = string(runes[:min(len(runes), mostTokens*mostWord)])
	folded := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(strings.ToLower(text)))
	folded = plainLetters.Replace(folded)
	if strings.Contains(folded, "@") && !strings.ContainsFunc(folded, unicode.IsSpace) {
		return []string{folded}
	}
	var words []string
	for _, word := range strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if runes := []rune(word); len(runes) > 1 || runes[0] > unicode.MaxLatin1 { // an initial is no name, a character of another script may be
			words = append(words, string(runes[:min(len(runes), mostWord)]))
		}
	}
	return words
}

// findBy makes an order be found by tokens, and by no others. Most versions of an
// order name the same people: then nothing is written.
func findBy(t *tx, k OrderKey, tokens []int64) error {
	kept, err := tokensOf(t, k)
	if err != nil {
		return err
	}
	for _, token := range kept {
		if !slices.Contains(tokens, token) {
			if err := t.exec(`DELETE FROM customers WHERE token = $1 AND order_id = $2 AND shop = $3`, token, k.ID, k.Shop); err != nil {
				return err
			}
		}
	}
	fresh := slices.DeleteFunc(slices.Clone(tokens), func(token int64) bool { return slices.Contains(kept, token) })
	return batches(fresh, func(part []int64) error {
		var args []any
		for _, token := range part {
			args = append(args, token, k.ID, k.Shop)
		}
		return t.exec(insertCustomers[len(part)], args...)
	})
}

var insertCustomers = forRows(`INSERT INTO customers (token, order_id, shop) VALUES `, `(?, ?, ?)`, ``)

// tokensOf are those that an order is found by now. Most orders are new, which is
// told quickly.
func tokensOf(t *tx, k OrderKey) ([]int64, error) {
	if some, err := t.exists(`SELECT 1 FROM customers WHERE order_id = $1 AND shop = $2`, k.ID, k.Shop); err != nil || !some {
		return nil, err
	}
	rows, err := t.query(`SELECT token FROM customers WHERE order_id = $1 AND shop = $2`, k.ID, k.Shop)
	if err != nil {
		return nil, err
	}
	return scanIDs(rows)
}

func scanIDs(rows *sql.Rows) ([]int64, error) {
	defer rows.Close()
	var all []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, rows.Err()
}

// OrdersOf lists the orders of customers with this e-mail address, or with all of
// these words in their names, those with the highest ids first, in one shop or,
// where that is empty, in all. States leave those whose delivery is in one of them.
func (s *Store) OrdersOf(ctx context.Context, customer, shop string, limit int, states ...string) ([]OrderView, error) {
	tokens := s.tokens([]string{customer})
	if len(tokens) == 0 {
		return nil, nil
	}
	slices.Reverse(tokens) // last names are rarer than first names
	query, args := customerQuery(tokens, shop, limit, states...)
	return s.orderViews(ctx, query, args...)
}

// customerQuery walks the orders of one token, newest first, and looks each up
// under the others.
func customerQuery(tokens []int64, shop string, limit int, states ...string) (string, []any) {
	var w where
	w.and("c.token = ?", tokens[0])
	for _, token := range tokens[1:] {
		w.and("EXISTS (SELECT 1 FROM customers m WHERE m.token = ? AND m.order_id = c.order_id AND m.shop = c.shop)", token)
	}
	if shop != "" {
		w.and("c.shop = ?", shop)
	}
	if len(states) > 0 {
		w.and("EXISTS (SELECT 1 FROM deliveries d WHERE d.shop = c.shop AND d.order_id = c.order_id AND " + w.among("+d.state", states) + ")")
	}
	found, args := w.list(`SELECT c.order_id, c.shop FROM customers c`, "c.order_id DESC, c.shop DESC", limit)
	return `SELECT ` + viewColumns + ` FROM (` + found + `) f CROSS JOIN orders o ON o.shop = f.shop AND o.id = f.order_id
		LEFT JOIN deliveries d ON d.shop = o.shop AND d.order_id = o.id ORDER BY f.order_id DESC, f.shop DESC`, args
}
