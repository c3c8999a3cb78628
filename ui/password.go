package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"
)

// usualCost is what one hash takes: 64 MiB, three times over, on two cores. That
// is a tenth of a second on a small VM.
var usualCost = argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 2, SaltLength: 16, KeyLength: 32}

// passwords hashes and checks passwords. Two hashes run at once at most, so that
// no crowd takes the memory away from orders: one for people at places where
// they have logged in before, and one for everybody else.
type passwords struct {
	cost             argon2id.Params
	known, strangers chan struct{}
	decoy            string // hash of a password that nobody has
	hashes           atomic.Int64
}

func newPasswords(cost argon2id.Params) *passwords {
	p := &passwords{cost: cost, known: make(chan struct{}, 1), strangers: make(chan struct{}, 1)}
	p.decoy = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", cost.Memory, cost.Iterations, cost.Parallelism, strings.Repeat("A", 22), strings.Repeat("A", 43))
	return p
}

// Bounds of a password, in characters and in bytes.
const (
	shortestPassword = 12
	longestPassword  = 1000
)

// unfit says what is wrong with a new password; empty: nothing.
func unfit(password, name string) string {
	switch {
	case utf8.RuneCountInString(password) < shortestPassword:
		return fmt.Sprintf("Choose a password of at least %d characters. A few words in a row do well.", shortestPassword)
	case len(password) > longestPassword:
		return "That password is too long. A few words in a row are enough."
	case strings.Contains(strings.ToLower(password), name):
		return "Choose a password that does not hold your name."
	}
	return ""
}

// hash makes the hash that is kept of a password.
func (p *passwords) hash(ctx context.Context, password string) (hash string, err error) {
	err = p.inTurn(ctx, p.known, func() error {
		hash, err = argon2id.CreateHash(norm.NFC.String(password), &p.cost)
		return err
	})
	return hash, err
}

// check says whether a hash is of this password. It costs the same where there
// is no hash, so that nobody learns from it whom there is.
func (p *passwords) check(ctx context.Context, known bool, password, hash string) (right bool, err error) {
	queue, compared := p.strangers, hash
	if known {
		queue = p.known
	}
	if hash == "" {
		compared = p.decoy
	}
	if len(password) > longestPassword {
		password = ""
	}
	err = p.inTurn(ctx, queue, func() error {
		right, err = argon2id.ComparePasswordAndHash(norm.NFC.String(password), compared)
		return err
	})
	return right && hash != "", err
}

// dated says whether a hash was made at another cost than today's.
func (p *passwords) dated(hash string) bool {
	params, _, _, err := argon2id.DecodeHash(hash)
	return err == nil && *params != p.cost
}

// errCrowded says that too many hashes are waited for.
var errCrowded = errors.New("too many log-ins at once")

func (p *passwords) inTurn(ctx context.Context, queue chan struct{}, do func() error) error {
	select {
	case queue <- struct{}{}:
	case <-ctx.Done():
		return errCrowded
	}
	defer func() { <-queue }()
	p.hashes.Add(1)
	return do()
}
