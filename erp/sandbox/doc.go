// Package sandbox is an ERP inside the binary, for the demo and for trying
// Gapless before an ERP is at hand.
//
// It keeps its documents in memory and, with a path, in a file of JSON lines
// that is synced before a write counts, so that a restart finds them again. Like
// many ERPs it has drafts: a new document is created as a draft and then
// confirmed. It can be told to fail in the ways real ERPs do.
//
// Tier: A. The reference is unique in the ledger, so a second create meets the
// first document.
package sandbox
