package ui

import "html/template"

// icons are drawn on 20 by 20, with lines in the colour of the text around.
var icons = map[string]string{
	"home":     `<path d="M3 9.5 10 3.5l7 6v6.5a1 1 0 0 1-1 1h-3.5v-5h-5v5H4a1 1 0 0 1-1-1z"/>`,
	"gap":      `<path d="M3 5h5M12 5h5M3 10h2.5M14.5 10H17M3 15h5M12 15h5"/><path d="m8.5 8.5 3 3m0-3-3 3"/>`,
	"order":    `<path d="M4.5 7h11l.8 9.2a.8.8 0 0 1-.8.8h-11a.8.8 0 0 1-.8-.8z"/><path d="M7 9V6a3 3 0 0 1 6 0v3"/>`,
	"report":   `<rect x="3.5" y="4" width="13" height="13" rx="1.5"/><path d="M3.5 8h13M7 2.5V5M13 2.5V5m-6 7.5 2 2 4-4"/>`,
	"event":    `<rect x="3" y="5" width="14" height="10.5" rx="1.5"/><path d="m3.5 6 6.5 5 6.5-5"/>`,
	"run":      `<path d="M16.5 10a6.5 6.5 0 1 1-2-4.7M16.5 3v3.5H13"/>`,
	"health":   `<path d="M2.5 10.5h3.5l2-5 3.5 9 2-4h4"/>`,
	"settings": `<path d="M3 6h7M14 6h3M3 14h3M10 14h7"/><circle cx="12" cy="6" r="2"/><circle cx="8" cy="14" r="2"/>`,
	"good":     `<circle cx="10" cy="10" r="7"/><path d="m6.8 10.2 2.2 2.3 4.2-4.6"/>`,
	"bad":      `<circle cx="10" cy="10" r="7"/><path d="M10 6v4.8M10 13.7v.1"/>`,
	"unsure":   `<circle cx="10" cy="10" r="7"/><path d="M10 6.5V10l2.5 1.8"/>`,
	"quiet":    `<circle cx="10" cy="10" r="7"/><path d="M7 10h6"/>`,
	"search":   `<circle cx="8.8" cy="8.8" r="5"/><path d="m12.6 12.6 4 4"/>`,
	"copy":     `<rect x="7" y="7" width="9.5" height="9.5" rx="1.5"/><path d="M13 7V4.5A1 1 0 0 0 12 3.5H4.5a1 1 0 0 0-1 1V12a1 1 0 0 0 1 1H7"/>`,
	"away":     `<path d="M8 4.5H5A1.5 1.5 0 0 0 3.5 6v9A1.5 1.5 0 0 0 5 16.5h9a1.5 1.5 0 0 0 1.5-1.5v-3M11.5 3.5h5v5M16 4l-7 7"/>`,
	"menu":     `<path d="M3 5.5h14M3 10h14M3 14.5h14"/>`,
	"theme":    `<circle cx="10" cy="10" r="6.5"/><path d="M10 3.5a6.5 6.5 0 0 1 0 13z" fill="currentColor"/>`,
	"print":    `<path d="M6 7V3.5h8V7M6 14H4.5A1.5 1.5 0 0 1 3 12.5v-4A1.5 1.5 0 0 1 4.5 7h11A1.5 1.5 0 0 1 17 8.5v4a1.5 1.5 0 0 1-1.5 1.5H14M6 11.5h8v5H6z"/>`,
	"shop":     `<path d="M3.5 8.5V16a.8.8 0 0 0 .8.8h11.4a.8.8 0 0 0 .8-.8V8.5M2.5 7.5 4 3.5h12l1.5 4a2.5 2.5 0 0 1-5 0 2.5 2.5 0 0 1-5 0 2.5 2.5 0 0 1-5 0z"/>`,
	"erp":      `<ellipse cx="10" cy="5" rx="6" ry="2.2"/><path d="M4 5v10c0 1.2 2.7 2.2 6 2.2s6-1 6-2.2V5M4 10c0 1.2 2.7 2.2 6 2.2s6-1 6-2.2"/>`,
	"left":     `<path d="m12 5-5 5 5 5"/>`,
	"right":    `<path d="m8 5 5 5-5 5"/>`,
}

// icon is decoration: what it means stands beside it in words.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + icons[name] + `</svg>`)
}
