package shopifytest

import (
	"reflect"
)

// tester is what testing.T, testing.B and rapid.T share.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func check(t tester, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Fatalf(format, args...)
	}
}

func equal(t tester, want, got any, what string) {
	t.Helper()
	check(t, reflect.DeepEqual(want, got), "%s: want %v, got %v", what, want, got)
}

func noError(t tester, err error) {
	t.Helper()
	check(t, err == nil, "unexpected error: %v", err)
}
