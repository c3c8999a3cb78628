// Package alert carries a message to people: by mail, to a chat, to any program
// that takes a webhook. It knows neither what a message is about nor when one is
// due, and imports nothing else of ours.
//
//	[Email]    SMTP, as text with an HTML alternative
//	[Slack]    Slack's incoming webhooks, and the chats that take the same
//	[Webhook]  JSON, signed by Standard Webhooks
//
// Each is a [Channel]. It tries once, within a bounded time, and keeps nothing:
// whoever calls it decides when to try again. The error, an [*Error], says
// whether that makes sense and how long to wait.
//
// Nothing secret leaves by another way than its own: no password goes over a
// connection that others could read, and no error holds a password, a webhook's
// address or a person's.
package alert
