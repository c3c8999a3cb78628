// Package ui is the HTTP face of Gapless: the JSON API with its OpenAPI
// description, a stream of what changes, health, metrics, and the place where the
// webhook door hangs.
//
// It reads the store and asks the engine to act through Actions; it owns no
// flow of its own. server.go and api.go are the tables of routes; the API's
// handlers stand in api_THEME.go.
package ui
