package main

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of events in a span of time, written "5/s", "100/min" or
// "1000/h". The zero Rate sets no limit.
type Rate struct {
	Events int
	Per    time.Duration
}

var rateUnits = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}

// PerSecond returns the rate in events a second, 0 for no limit.
func (r Rate) PerSecond() float64 {
	if r.Per == 0 {
		return 0
	}
	return float64(r.Events) / r.Per.Seconds()
}

// String writes the rate as the config does.
func (r Rate) String() string {
	for unit, per := range rateUnits {
		if r.Per == per {
			return strconv.Itoa(r.Events) + "/" + unit
		}
	}
	return ""
}

// UnmarshalText reads "5/s"; empty text sets no limit.
func (r *Rate) UnmarshalText(text []byte) error {
	if *r = (Rate{}); len(text) == 0 {
		return nil
	}
	number, unit, _ := strings.Cut(string(text), "/")
	events, err := strconv.Atoi(number)
	per, known := rateUnits[unit]
	if err != nil || events < 1 || !known {
		return Problem{Problem: "is not a rate", Fix: `write it like "5/s", "100/min" or "1000/h"`}
	}
	*r = Rate{events, per}
	return nil
}

// Size is a number of bytes, written "10MiB", "500KB" or as a plain number.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}, {"", 1},
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, unit := range sizeUnits[:3] {
		if n := int64(unit.bytes); s >= Size(n) && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalText reads "10MiB".
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if bytes := n * unit.bytes; err == nil && bytes >= 0 && bytes < math.MaxInt64 {
			*s = Size(bytes)
			return nil
		}
		break
	}
	return Problem{Problem: "is not a size", Fix: `write it like "10MiB"`}
}

var weeksAndDays = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?(.*)$`)

// parseDuration reads what time.ParseDuration does and, in front of it, weeks
// and days of 24 hours: "1w", "90d", "1d12h", "10s".
func parseDuration(text string) (time.Duration, error) {
	parts := weeksAndDays.FindStringSubmatch(text)
	if text == "" || parts == nil {
		return 0, errDuration
	}
	weeks, _ := strconv.Atoi("0" + parts[1])
	days, _ := strconv.Atoi("0" + parts[2])
	d := time.Duration(7*weeks+days) * 24 * time.Hour
	if parts[3] == "" {
		return d, nil
	}
	rest, err := time.ParseDuration(parts[3])
	if err != nil || rest < 0 || d+rest < 0 {
		return 0, errDuration
	}
	return d + rest, nil
}

var errDuration = Problem{Problem: "is not a duration", Fix: `write it like "10s", "5m", "2h", "90d" or "1w"`}

// formatDuration writes a duration as an operator would: "90d", "10m", "1h30m".
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// convert is the decode hook: it turns a value from the file or, as text, from
// the environment into what the field takes, or says what to write instead.
func (l *loader) convert(from, to reflect.Type, value any) (any, error) {
	text, isText := value.(string)
	isNumber := from.Kind() == reflect.Int || from.Kind() == reflect.Int64
	switch {
	case to == reflect.TypeFor[time.Duration]() || reflect.PointerTo(to).Implements(textUnmarshaler):
		if !isText && !isNumber && from.Kind() != reflect.Float64 {
			return nil, Problem{Problem: "needs text", Fix: "write it in quotes"}
		}
		return l.fromText(fmt.Sprint(value), to)
	case to.Kind() == reflect.String:
		return needs(value, isText, "needs text", "write it in quotes")
	case to.Kind() == reflect.Bool && isText:
		b, err := strconv.ParseBool(text)
		return needs(b, err == nil, "needs true or false", "")
	case to.Kind() == reflect.Bool:
		return needs(value, from.Kind() == reflect.Bool, "needs true or false", "write it without quotes")
	case to.Kind() == reflect.Int || to.Kind() == reflect.Int64:
		if isText {
			n, err := strconv.ParseInt(text, 10, to.Bits())
			return needs(n, err == nil, "needs a whole number", "")
		}
		return needs(value, isNumber, "needs a whole number", "write it without quotes")
	case to.Kind() == reflect.Float64 && isText:
		x, err := strconv.ParseFloat(text, 64)
		return needs(x, err == nil, "needs a number", "")
	case to.Kind() == reflect.Float64:
		return needs(value, isNumber || from.Kind() == reflect.Float64, "needs a number", "write it without quotes")
	case to.Kind() == reflect.Slice && to.Elem().Kind() == reflect.String && isText:
		return splitList(text), nil
	case to.Kind() == reflect.Slice:
		return needs(value, from.Kind() == reflect.Slice, "needs a list", "write it in [ ], a list of tables as [[...]]")
	case to.Kind() == reflect.Struct || to.Kind() == reflect.Map:
		return needs(value, from.Kind() == reflect.Map, "needs a table", "write it as [...] or in { }")
	}
	return value, nil
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// fromText makes a duration, or what else is written as text, of type to.
func (l *loader) fromText(text string, to reflect.Type) (any, error) {
	target := reflect.New(to)
	var err error
	if d, ok := target.Interface().(*time.Duration); ok {
		*d, err = parseDuration(text)
	} else {
		err = target.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	}
	if err == nil {
		return target.Elem().Interface(), nil
	}
	p := Problem{Problem: "does not fit here", Fix: "compare config.example.toml"}
	errors.As(err, &p)
	p.Problem = l.refs.quote(text) + " " + p.Problem
	return nil, p
}

// needs returns value where it fits, else a problem.
func needs(value any, fits bool, problem, fix string) (any, error) {
	if !fits {
		return nil, Problem{Problem: problem, Fix: fix}
	}
	return value, nil
}

// splitList reads a list from one variable: entries with commas between them.
func splitList(text string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(text, " ", ""), func(r rune) bool { return r == ',' })
}

// references maps a value that came through "env:NAME" or "file:PATH" to that
// reference. Such a value may be a secret under any key, so that only its
// reference is ever shown.
type references map[string]string

// quote shows a value in a message.
func (r references) quote(value string) string {
	if ref, ok := r[value]; ok {
		return "the value of " + ref
	}
	return strconv.Quote(value)
}

// Redacted returns the config for display, keys as in the file, with "***" for
// every secret and the reference for every other value that came through one.
func (c *Config) Redacted() map[string]any {
	return c.references.redactStruct(reflect.ValueOf(*c))
}

// String keeps secrets out of a log that prints the config by accident.
func (c *Config) String() string { return fmt.Sprint(c.Redacted()) }

// secretName recognises secrets among the ERP kinds' own keys, which need not
// carry the tag.
var secretName = regexp.MustCompile(`password|secret|token|key|auth|header`)

func (r references) redactStruct(v reflect.Value) map[string]any {
	shown := map[string]any{}
	for f, value := range v.Fields() {
		name, _, _ := strings.Cut(cmp.Or(f.Tag.Get("koanf"), f.Tag.Get("toml")), ",")
		switch {
		case f.Name == "Settings" && value.Kind() == reflect.Interface && !value.IsNil():
			// The kind's own keys stand beside the shared ones, as in the file.
			own := r.redactStruct(value.Elem().Elem())
			maps.Copy(own, shown)
			shown = own
		case name == "" || name == "-":
		case f.Tag.Get("secret") == "true" && !value.IsZero():
			shown[name] = "***"
		default:
			shown[name] = r.redactNamed(name, value)
		}
	}
	return shown
}

func (r references) redactNamed(name string, v reflect.Value) any {
	if secretName.MatchString(strings.ToLower(name)) && !v.IsZero() {
		return "***"
	}
	return r.redact(v)
}

func (r references) redact(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case time.Duration:
		return formatDuration(value)
	case fmt.Stringer:
		if v.Kind() != reflect.Pointer {
			return value.String()
		}
	case string:
		if ref, ok := r[value]; ok {
			return ref
		}
		return redactURL(value)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return r.redact(v.Elem())
	case reflect.Struct:
		return r.redactStruct(v)
	case reflect.Map:
		shown := map[string]any{}
		for key, value := range v.Seq2() {
			shown[key.String()] = r.redactNamed(key.String(), value)
		}
		return shown
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = r.redact(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

// redactURL hides the password and the query of a web address; other text stays
// as it is.
func redactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	if u.RawQuery != "" {
		u.RawQuery = "***"
	}
	return u.Redacted()
}
