package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

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
