package ui

// key is what one key, or two in turn, do on every page; see keys.js.
type key struct {
	Keys []string
	What string
}

var keysTold = []key{
	{[]string{"/"}, "Find an order"},
	{[]string{"j"}, "The next row"}, {[]string{"k"}, "The row before"}, {[]string{"Enter"}, "Open the row"}, {[]string{"x"}, "Tick the row"},
	{[]string{"g", "h"}, "Overview"}, {[]string{"g", "g"}, "Gaps"}, {[]string{"g", "o"}, "Orders"}, {[]string{"g", "r"}, "Reports"},
	{[]string{"g", "m"}, "Messages"}, {[]string{"g", "u"}, "Runs"}, {[]string{"g", "l"}, "Health"}, {[]string{"g", "s"}, "Settings"},
	{[]string{"?"}, "These keys"},
}

// Keys are told on every page.
func (frame) Keys() []key { return keysTold }
