// Package ui is the HTTP face of Gapless: the JSON API with its OpenAPI
// description, health, metrics, and the place where the webhook door hangs.
//
// It reads the store and asks the engine to act through Actions; it owns no
// flow of its own. server.go is the one table of routes.
package ui
