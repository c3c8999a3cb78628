-- Times are integer microseconds UTC; money is decimal text; Shopify's ids are 64-bit integers.
-- Blobs are packed by codec.go: compressed and, with a key, encrypted.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Everything heard, in the order it became durable. Never changed, never deleted.
CREATE TABLE events (
  id           INTEGER PRIMARY KEY,
  shop         TEXT NOT NULL,
  source       TEXT NOT NULL CHECK (source IN ('webhook', 'refetch')),
  topic        TEXT NOT NULL,
  webhook_id   TEXT NOT NULL,
  event_id     TEXT NOT NULL,
  headers      TEXT NOT NULL,
  triggered_at INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  size         INTEGER NOT NULL
) STRICT;
CREATE INDEX events_received ON events (source, received_at, triggered_at);
CREATE INDEX events_shop     ON events (shop);
CREATE INDEX events_topic    ON events (topic);
CREATE TRIGGER events_stay   BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- The raw body of an event, apart from it so that age and redaction can take it.
CREATE TABLE bodies (
  event_id INTEGER PRIMARY KEY,
  body     BLOB NOT NULL
) STRICT;

-- The keys of webhooks stored before, see dedupe.go.
CREATE TABLE seen (
  key BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What was decided about an order or an event, and why.
CREATE TABLE decisions (
  id       INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  shop     TEXT NOT NULL,
  order_id INTEGER NOT NULL,             -- 0: not about one order
  event_id INTEGER NOT NULL,             -- 0: not about one event
  step     TEXT NOT NULL CHECK (step IN ('intake', 'refetch', 'rule', 'mapping', 'deliver', 'operator', 'redact')),
  outcome  TEXT NOT NULL,
  detail   TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_order ON decisions (shop, order_id) WHERE order_id <> 0;
CREATE INDEX decisions_event ON decisions (event_id) WHERE event_id <> 0;
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;

-- The newest known version of each Shopify order.
CREATE TABLE orders (
  shop         TEXT NOT NULL,
  id           INTEGER NOT NULL,
  name         TEXT NOT NULL,
  version      TEXT NOT NULL,
  hash         TEXT NOT NULL,
  currency     TEXT NOT NULL,
  total        TEXT NOT NULL,
  test         INTEGER NOT NULL CHECK (test IN (0, 1)),
  customer_id  INTEGER NOT NULL,         -- 0: none
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  fetched_at   INTEGER NOT NULL,         -- when Shopify was asked for it by id; 0: never
  cancelled_at INTEGER NOT NULL,         -- 0: not cancelled
  deleted_at   INTEGER NOT NULL,         -- 0: not deleted in Shopify
  redacted_at  INTEGER NOT NULL,         -- 0: holds its personal data
  first_seen_at INTEGER NOT NULL,
  event_id     INTEGER NOT NULL,         -- the event this version came by
  content      BLOB NOT NULL,
  PRIMARY KEY (shop, id)
) STRICT;
CREATE INDEX orders_updated  ON orders (shop, updated_at, id);
CREATE INDEX orders_seen     ON orders (first_seen_at, id, shop);
CREATE INDEX orders_of_shop  ON orders (shop, first_seen_at, id);
CREATE INDEX orders_name     ON orders (name, shop);
CREATE INDEX orders_id       ON orders (id);
CREATE INDEX orders_customer ON orders (shop, customer_id) WHERE customer_id <> 0;

-- Orders to be asked for by id.
CREATE TABLE refetches (
  shop       TEXT NOT NULL,
  order_id   INTEGER NOT NULL,
  reason     TEXT NOT NULL,
  asked      INTEGER NOT NULL,           -- grows with each new request, so that one made while a fetch is under way survives it
  asked_at   INTEGER NOT NULL,
  next_at    INTEGER NOT NULL,
  tries      INTEGER NOT NULL,
  error      TEXT NOT NULL,
  PRIMARY KEY (shop, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX refetches_due ON refetches (shop, next_at);

-- Which version of an order an ERP should hold, and which it holds. The states are drawn in doc.go.
CREATE TABLE deliveries (
  shop       TEXT NOT NULL,
  order_id   INTEGER NOT NULL,
  erp        TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('due', 'sending', 'delivered', 'unknown', 'parked', 'excluded')),
  wanted     TEXT NOT NULL,
  claimed    TEXT NOT NULL,              -- what was wanted when the last attempt began
  held       TEXT NOT NULL,              -- '': none
  held_body  TEXT NOT NULL,              -- hash of the document held; '': not known
  verify     INTEGER NOT NULL CHECK (verify IN (0, 1)),   -- look the ERP up before anything is sent
  present    INTEGER NOT NULL CHECK (present IN (0, 1)),  -- a document was seen in the ERP
  token      TEXT NOT NULL,              -- of the attempt that may write the result; '' unless sending
  lease_until INTEGER NOT NULL,
  sent_at    INTEGER NOT NULL,           -- when the intent of the last attempt was committed; 0: nothing may have left
  sent       TEXT NOT NULL,              -- the version of that intent
  ghost      TEXT NOT NULL,              -- a version whose call was never answered: it may take effect late
  ghost_at   INTEGER NOT NULL,           -- when that call left
  tries      INTEGER NOT NULL,           -- since the last success
  next_at    INTEGER NOT NULL,
  since      INTEGER NOT NULL,           -- when it last left delivered or excluded
  seen_at    INTEGER NOT NULL,           -- the order's first_seen_at: lists of one state are in that order
  changed_at INTEGER NOT NULL,
  reason     TEXT NOT NULL,
  field      TEXT NOT NULL,
  hint       TEXT NOT NULL,
  rule       TEXT NOT NULL,
  erp_ref    TEXT NOT NULL,
  erp_total  TEXT NOT NULL,
  PRIMARY KEY (shop, order_id, erp),
  CHECK ((state = 'sending') = (token <> '')),
  CHECK (state <> 'delivered' OR held = wanted),
  CHECK (state <> 'parked' OR reason <> ''),
  CHECK (state <> 'excluded' OR rule <> '')
) STRICT;
CREATE INDEX deliveries_due   ON deliveries (erp, next_at) WHERE state IN ('due', 'unknown');
CREATE INDEX deliveries_lease ON deliveries (lease_until) WHERE state = 'sending';
CREATE INDEX deliveries_state ON deliveries (state, seen_at, order_id, shop);
CREATE INDEX deliveries_retrying ON deliveries (state, tries) WHERE state = 'due' AND tries > 0;

-- One row per call to an ERP, written before the call leaves.
CREATE TABLE attempts (
  id         INTEGER PRIMARY KEY,
  shop       TEXT NOT NULL,
  order_id   INTEGER NOT NULL,
  erp        TEXT NOT NULL,
  token      TEXT NOT NULL,
  action     TEXT NOT NULL CHECK (action IN ('deliver', 'lookup')),
  ref        TEXT NOT NULL,
  version    TEXT NOT NULL,
  body_hash  TEXT NOT NULL,
  started_at INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_order   ON attempts (shop, order_id);
CREATE INDEX attempts_started ON attempts (started_at);
CREATE TRIGGER attempts_stay   BEFORE UPDATE ON attempts BEGIN SELECT RAISE(ABORT, 'attempts are append-only'); END;
CREATE TRIGGER attempts_remain BEFORE DELETE ON attempts BEGIN SELECT RAISE(ABORT, 'attempts are append-only'); END;

-- How an attempt ended. An attempt without a row here was cut off.
CREATE TABLE outcomes (
  attempt_id  INTEGER PRIMARY KEY,
  result      TEXT NOT NULL CHECK (result IN ('created', 'updated', 'unchanged', 'rejected', 'retry', 'unknown', 'found', 'absent')),
  reason      TEXT NOT NULL,
  field       TEXT NOT NULL,
  hint        TEXT NOT NULL,
  erp_ref     TEXT NOT NULL,
  applied     INTEGER NOT NULL CHECK (applied IN (0, 1)), -- 0: the attempt's token was no longer the current one
  ended_at    INTEGER NOT NULL,
  duration_us INTEGER NOT NULL
) STRICT;
CREATE INDEX outcomes_ended ON outcomes (ended_at, result);
CREATE TRIGGER outcomes_stay   BEFORE UPDATE ON outcomes BEGIN SELECT RAISE(ABORT, 'outcomes are append-only'); END;
CREATE TRIGGER outcomes_remain BEFORE DELETE ON outcomes BEGIN SELECT RAISE(ABORT, 'outcomes are append-only'); END;

-- What an attempt said and heard, apart from it so that age and redaction can take it.
CREATE TABLE transcripts (
  attempt_id INTEGER PRIMARY KEY,
  exchanges  BLOB NOT NULL
) STRICT;

-- What Gapless knows of each shop beside its orders.
CREATE TABLE shops (
  shop            TEXT PRIMARY KEY,
  uninstalled_at  INTEGER NOT NULL,
  subscribed_at   INTEGER NOT NULL,      -- when the webhook subscriptions were last seen whole; 0: never
  subscribe_error TEXT NOT NULL,
  poll_cursor     INTEGER NOT NULL,      -- every change before it has been seen; 0: never polled
  polled_at       INTEGER NOT NULL,
  poll_error      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Webhook subscriptions that were created, mended or removed.
CREATE TABLE subscription_changes (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  shop   TEXT NOT NULL,
  topic  TEXT NOT NULL,
  change TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;

-- Requests the webhook door turned away; a bounded log, without bodies.
CREATE TABLE refusals (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  shop   TEXT NOT NULL,                  -- as the request said
  topic  TEXT NOT NULL,                  -- as the request said
  remote TEXT NOT NULL,
  status INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- Counts by the minute.
CREATE TABLE tallies (
  minute INTEGER NOT NULL,               -- microseconds UTC, whole minutes
  shop   TEXT NOT NULL,
  kind   TEXT NOT NULL,
  n      INTEGER NOT NULL,
  PRIMARY KEY (minute, shop, kind)
) STRICT, WITHOUT ROWID;

-- People's data that must not come back.
CREATE TABLE redactions (
  shop        TEXT NOT NULL,
  customer_id INTEGER NOT NULL,          -- 0: every customer of the shop
  at          INTEGER NOT NULL,
  PRIMARY KEY (shop, customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  scope      TEXT NOT NULL CHECK (scope IN ('viewer', 'operator', 'admin', 'metrics')),
  hash       BLOB NOT NULL UNIQUE,       -- SHA-256 of the token
  created_at INTEGER NOT NULL
) STRICT;
