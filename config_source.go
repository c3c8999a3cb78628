package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
)

// envPrefix starts every variable that overrides a key: GAPLESS_SERVER__LISTEN.
const envPrefix = "GAPLESS_"

// maxReferenced bounds a file read through a file: reference, in bytes.
const maxReferenced = 64 << 10

// loader carries one config from its sources to the checked value and collects
// every problem on the way.
type loader struct {
	dir      string // file: references start here
	env      map[string]string
	kinds    map[string]func() any
	refs     references
	referred map[string]string // the reference that stands at a key
	problems ConfigError
}

func newLoader(dir string, environ []string, kinds map[string]func() any) *loader {
	l := &loader{dir: dir, env: map[string]string{}, kinds: kinds, refs: references{}, referred: map[string]string{}}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		l.env[name] = value
	}
	return l
}

// parse reads the TOML document into a tree of map[string]any, []any and
// values, or notes where it stops being TOML.
func (l *loader) parse(doc []byte) (map[string]any, bool) {
	tree, err := toml.Parser().Unmarshal(bytes.TrimPrefix(doc, []byte("\ufeff")))
	if err == nil {
		if tree == nil {
			tree = map[string]any{}
		}
		return tree, true
	}
	// What strconv says holds the value, which may be a secret.
	what, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "toml: "), ": strconv.")
	key := "the file"
	var at interface{ Position() (row, column int) }
	if errors.As(err, &at) {
		row, column := at.Position()
		key = fmt.Sprintf("line %d, column %d", row, column)
	}
	l.add(key, "this is not TOML: "+what, `a setting is written key = "text", a section [name]`)
	return nil, false
}

// override lays the variables GAPLESS_SECTION__KEY over the tree. A variable
// without a double underscore is left to env: references.
func (l *loader) override(tree map[string]any) {
	var paths [][]string
	for name := range l.env {
		rest, ours := strings.CutPrefix(name, envPrefix)
		if path := strings.Split(rest, "__"); ours && len(path) > 1 {
			paths = append(paths, path)
		}
	}
	// Shorter numbers first, so that SHOPS__9 makes its entry before SHOPS__10.
	slices.SortFunc(paths, func(a, b []string) int {
		return slices.CompareFunc(a, b, func(x, y string) int {
			return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
		})
	})
	for _, path := range paths {
		name := envPrefix + strings.Join(path, "__")
		if _, err := put(tree, path, l.env[name]); err != nil {
			l.add(name, err.Error(), "correct the variable's name or unset it")
		}
	}
}

// put returns node with value at path; tables and list entries that are not
// there yet are made.
func put(node any, path []string, value string) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	segment, rest := path[0], path[1:]
	switch n := node.(type) {
	case map[string]any:
		key := keyIn(n, segment)
		child, err := put(n[key], rest, value)
		if err == nil {
			n[key] = child
		}
		return n, err
	case []any:
		i, err := indexIn(n, segment)
		if err != nil {
			return n, err
		}
		if i == len(n) {
			n = append(n, nil)
		}
		n[i], err = put(n[i], rest, value)
		return n, err
	case nil:
		if _, err := strconv.ParseUint(segment, 10, 31); err == nil {
			return put([]any{}, path, value)
		}
		return put(map[string]any{}, path, value)
	}
	return node, fmt.Errorf("nothing can be set below a single value (at %s)", segment)
}

// keyIn finds the key that segment spells, or makes one of it.
func keyIn(table map[string]any, segment string) string {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if envName(key) == segment {
			return key
		}
	}
	return strings.ToLower(segment)
}

// indexIn finds the list entry that segment addresses by number or by name;
// len(list) stands for a new one.
func indexIn(list []any, segment string) (int, error) {
	if i, err := strconv.ParseUint(segment, 10, 31); err == nil {
		if int(i) > len(list) {
			return 0, fmt.Errorf("the list has %d entries, so the next new one is number %d, not %d", len(list), len(list), i)
		}
		return int(i), nil
	}
	for i, entry := range list {
		table, _ := entry.(map[string]any)
		if name, ok := table["name"].(string); ok && envName(name) == segment {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no entry has the name %s", segment)
}

// envName spells a key or name as environment variables do: ACME_EU for acme-eu.
func envName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
}

// resolve replaces every "env:NAME" and "file:PATH" below node by what it
// stands for and returns node.
func (l *loader) resolve(key string, node any) any {
	switch n := node.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(n)) {
			n[name] = l.resolve(join(key, name), n[name])
		}
	case []any:
		for i := range n {
			n[i] = l.resolve(fmt.Sprintf("%s[%d]", key, i), n[i])
		}
	case string:
		return l.reference(key, n)
	}
	return node
}

// reference returns what text stands for: itself, or "" where it refers to
// something that is not there.
func (l *loader) reference(key, text string) string {
	var value string
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		if value, ok = l.env[name]; !ok {
			l.add(key, "the environment has no variable "+name, "set it, or correct the name after env:")
		}
	} else if path, ok := strings.CutPrefix(text, "file:"); ok {
		content, err := l.readReferenced(path)
		if err != nil {
			l.add(key, "this file can't be read: "+err.Error(), "correct the path after file: or who may read it")
		}
		value = content
	} else {
		return text
	}
	l.referred[key] = text
	if value != "" {
		l.refs[value] = text
	}
	return value
}

// readReferenced returns the trimmed content of a small regular file. Anything
// else could block or never end.
func (l *loader) readReferenced(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxReferenced {
		return "", fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxReferenced)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxReferenced))
	return strings.TrimSpace(string(content)), err
}

// join returns the path of name below key.
func join(key, name string) string {
	if key == "" || name == "" {
		return key + name
	}
	return key + "." + name
}
