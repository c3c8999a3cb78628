package main

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// decode fills a Config from the tree over the defaults.
func (l *loader) decode(tree map[string]any) *Config {
	tree = l.merge(defaults, tree)
	l.mergeEach(shopDefaults, tree["shops"])
	l.mergeEach(erpDefaults, tree["erps"])

	c := &Config{references: l.refs}
	l.unknownKeys("", tree, reflect.TypeFor[Config](), "koanf")
	l.into(c, tree, "", "koanf")
	entries, _ := tree["erps"].([]any)
	for i := range c.ERPs {
		if entry, ok := entries[i].(map[string]any); ok {
			c.ERPs[i].Settings = l.settings(entry, c.ERPs[i].Kind, fmt.Sprintf("erps[%d]", i))
		}
	}
	return c
}

// mergeEach fills the defaults into every entry of a list of tables.
func (l *loader) mergeEach(defaults map[string]any, list any) {
	entries, _ := list.([]any)
	for i, entry := range entries {
		if table, ok := entry.(map[string]any); ok {
			entries[i] = l.merge(defaults, table)
		}
	}
}

// merge returns the tree laid over the defaults, whose keys are dotted paths.
func (l *loader) merge(defaults, tree map[string]any) map[string]any {
	k := koanf.New(".")
	err := errors.Join(
		k.Load(confmap.Provider(defaults, "."), nil),
		k.Load(confmap.Provider(tree, ""), nil))
	if err != nil {
		l.add("defaults", "they can't be merged with the file: "+err.Error(), "")
	}
	return k.Raw()
}

// settings returns the kind's own settings filled from an [[erps]] entry. They
// may name shared keys such as url again and get them too.
func (l *loader) settings(entry map[string]any, kind, key string) any {
	zero, known := l.kinds[kind]
	if !known {
		return nil
	}
	settings := zero()
	l.into(settings, entry, key, "toml")
	return settings
}

// into fills a struct, whose fields carry the tag, from the table at key and
// notes every value that does not fit.
func (l *loader) into(target any, table map[string]any, key, tag string) {
	k := koanf.New(".")
	err := k.Load(confmap.Provider(table, ""), nil)
	if err == nil {
		err = k.UnmarshalWithConf("", target, koanf.UnmarshalConf{Tag: tag, DecoderConfig: &mapstructure.DecoderConfig{
			DecodeHook:           mapstructure.DecodeHookFuncType(l.convert),
			IgnoreUntaggedFields: true,
			MatchName:            func(a, b string) bool { return a == b },
		}})
	}
	l.addDecodeErrors(key, err)
}

// addDecodeErrors takes mapstructure's tree of errors apart.
func (l *loader) addDecodeErrors(key string, err error) {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, err := range many.Unwrap() {
			l.addDecodeErrors(key, err)
		}
		return
	}
	if err == nil {
		return
	}
	// The text of other errors may hold the value, so it is not repeated.
	p := Problem{Problem: "this value does not fit here", Fix: "compare config.example.toml"}
	errors.As(err, &p)
	var at *mapstructure.DecodeError
	if errors.As(err, &at) {
		key = join(key, at.Name())
	}
	l.add(key, p.Problem, p.Fix)
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
	var list []string
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			list = append(list, entry)
		}
	}
	return list
}

// field is one key that a table may hold.
type field struct {
	typ reflect.Type
	tag string // that names the keys below it
}

// fieldsOf lists the keys of a struct whose fields carry the tag.
func fieldsOf(t reflect.Type, tag string) map[string]field {
	fields := map[string]field{}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" && name != "-" {
			fields[name] = field{f.Type, tag}
		}
	}
	return fields
}

// unknownKeys notes every key below node that the type t has no field for.
func (l *loader) unknownKeys(key string, node any, t reflect.Type, tag string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n := node.(type) {
	case []any:
		for i := 0; i < len(n) && t.Kind() == reflect.Slice; i++ {
			l.unknownKeys(fmt.Sprintf("%s[%d]", key, i), n[i], t.Elem(), tag)
		}
	case map[string]any:
		if t == reflect.TypeFor[ERPConfig]() {
			l.unknownERPKeys(key, n)
		} else if t.Kind() == reflect.Struct {
			l.unknownIn(key, n, fieldsOf(t, tag))
		}
	}
}

// unknownERPKeys takes the kind's own keys as known too. Of an unknown kind
// none can be judged.
func (l *loader) unknownERPKeys(key string, entry map[string]any) {
	kind, _ := entry["kind"].(string)
	zero, known := l.kinds[kind]
	if !known {
		return
	}
	fields := fieldsOf(reflect.TypeOf(zero()).Elem(), "toml")
	maps.Copy(fields, fieldsOf(reflect.TypeFor[ERPConfig](), "koanf"))
	l.unknownIn(key, entry, fields)
}

func (l *loader) unknownIn(key string, table map[string]any, fields map[string]field) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if f, known := fields[name]; known {
			l.unknownKeys(join(key, name), table[name], f.typ, f.tag)
			continue
		}
		names := slices.Sorted(maps.Keys(fields))
		if near := nearest(name, names); near != "" {
			l.add(join(key, name), "unknown key", "did you mean "+near+"?")
		} else {
			l.add(join(key, name), "unknown key", "known here: "+strings.Join(names, ", "))
		}
	}
}
