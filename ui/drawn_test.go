package ui

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
)

// drawn counts what the tests really asked for: the routes that answered without
// an error, and the templates that they chose.
var drawn = struct {
	sync.Mutex
	routes, templates map[string]int
}{routes: map[string]int{}, templates: map[string]int{"error": 1}} // explain draws that one

// TestMain fails where all tests together leave a page undrawn, a form unsent or a
// template unused. A run of some tests alone says nothing about that.
func TestMain(m *testing.M) {
	flag.Parse()
	for _, routes := range [][]pageRoute{pageRoutes, peopleRoutes} {
		for i := range routes {
			routes[i].show = counted(routes[i])
		}
	}
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		for _, missing := range undrawn() {
			fmt.Println("FAIL: no test gets an answer of", missing)
			code = 1
		}
	}
	os.Exit(code)
}

func counted(r pageRoute) func(*visit) (view, error) {
	show := r.show
	return func(v *visit) (view, error) {
		shown, err := show(v)
		drawn.Lock()
		defer drawn.Unlock()
		if err == nil {
			drawn.routes[r.method+" "+r.path]++
			drawn.templates[shown.template]++
		}
		return shown, err
	}
}

func undrawn() (missing []string) {
	for _, r := range slices.Concat(pageRoutes, peopleRoutes) {
		if drawn.routes[r.method+" "+r.path] == 0 {
			missing = append(missing, r.method+" "+r.path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		if drawn.templates[name] == 0 {
			missing = append(missing, "the template "+name)
		}
	}
	return missing
}
