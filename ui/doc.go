// Package ui is the HTTP face of Gapless: pages for people, the JSON API with its
// OpenAPI description, the feed for ERPs that pull, a stream of what changes,
// health, metrics, and the place where the webhook door hangs.
//
// It reads the store and asks the engine to act through [Actions]; it owns no
// flow of its own.
//
// Routes stand in four tables: pageRoutes in pages.go and peopleRoutes in people.go
// for people, each with the role that may ask for it; api.go and feed.go for
// programs; server.go has the few others. A page is a function from a visit to a
// view, in THEME_page.go, drawn by the template of its name; the API's handlers
// stand in api_THEME.go. GET never writes, but for the way back from a log-in
// elsewhere.
//
// Pages work without scripts. With them, the regions that are marked data-live
// follow the stream: see static/live.js.
//
// People log in with a password, a second factor if they like, or by an OpenID
// Connect provider, and have a session in a cookie; programs bear a token. Both
// have a role: viewer, operator, admin.
package ui
