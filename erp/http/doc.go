// Package httperp delivers orders to any ERP or middleware that takes JSON over
// HTTP.
//
// Wire: PUT {url}/orders/{ref} with the mapped order, GET {url}/orders/{ref} to
// look one up (404: not there), GET {url}/orders?since=RFC3339 to list what
// changed. Writes carry the headers of Standard Webhooks (webhook-id,
// webhook-timestamp, and webhook-signature where a secret is set),
// Idempotency-Key = ref:version and X-Gapless-Version. Method, paths and the
// places in the answers are [Settings].
//
// Tier: A by default. The reference is the address, so a PUT that is sent twice
// leaves one document. An ERP that takes POST without a unique key is to be set
// as tier B, or C where its look-ups lag; the adapter then looks up before
// every create.
//
// An answer counts only if it repeats the version or the reference; any other
// "ok" is checked with a look-up.
package httperp
