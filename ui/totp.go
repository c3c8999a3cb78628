package ui

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"html/template"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// The second factor is a code of RFC 6238, as every authenticator app makes it.
const (
	totpPeriod    = 30 * time.Second
	recoveryCodes = 10
)

var base32NoPad = base32.StdEncoding.WithPadding(base32.NoPadding)

// totpSetup is what an app needs to make codes.
type totpSetup struct {
	Secret string       // base32
	Image  template.URL // the QR code
}

func newTOTP(name string) (totpSetup, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Gapless", AccountName: name})
	if err != nil {
		return totpSetup{}, err
	}
	return drawTOTP(key)
}

// sameTOTP draws a secret once more, after a code that was wrong.
func sameTOTP(name, secret string) (totpSetup, error) {
	raw, ok := readTOTP(secret)
	if !ok {
		return newTOTP(name)
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Gapless", AccountName: name, Secret: raw})
	if err != nil {
		return totpSetup{}, err
	}
	return drawTOTP(key)
}

func drawTOTP(key *otp.Key) (totpSetup, error) {
	picture, err := key.Image(264, 264)
	if err != nil {
		return totpSetup{}, err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return totpSetup{}, err
	}
	return totpSetup{key.Secret(), template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))}, nil
}

// readTOTP reads a secret that came back with a form: 160 bits, as newTOTP makes.
func readTOTP(secret string) ([]byte, bool) {
	raw, err := base32NoPad.DecodeString(secret)
	return raw, err == nil && len(raw) == 20
}

// matchTOTP returns the time step whose code this is: the present one, or one of
// its neighbours, since clocks differ.
func matchTOTP(secret, code string, now time.Time) (step int64, ok bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	for _, at := range []time.Time{now, now.Add(-totpPeriod), now.Add(totpPeriod)} {
		want, err := totp.GenerateCode(secret, at)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return at.Unix() / int64(totpPeriod.Seconds()), true
		}
	}
	return 0, false
}

// newRecoveryCodes are 80 bits of chance each, in groups that can be copied from
// paper.
func newRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		random := make([]byte, 10)
		rand.Read(random) // never fails
		text := strings.ToLower(base32NoPad.EncodeToString(random))
		codes[i] = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
	}
	return codes
}

// plainRecovery is a code without what people add and leave out.
func plainRecovery(code string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(code)))
}
