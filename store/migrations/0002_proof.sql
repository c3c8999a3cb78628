-- What the proof needs: gaps, runs, reports, and tables that can be compared quickly.

-- An order's content apart from it, so that a million orders can be compared
-- without reading them whole.
CREATE TABLE contents (
  shop    TEXT NOT NULL,
  id      INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (shop, id)
) STRICT;
INSERT INTO contents (shop, id, content) SELECT shop, id, content FROM orders;
ALTER TABLE orders DROP COLUMN content;
CREATE INDEX orders_created ON orders (shop, created_at, id);

-- Orders that were deleted in Shopify, known here or not.
CREATE TABLE deleted_orders (
  shop     TEXT NOT NULL,
  order_id INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (shop, order_id)
) STRICT, WITHOUT ROWID;
INSERT INTO deleted_orders (shop, order_id, at) SELECT shop, id, deleted_at FROM orders WHERE deleted_at > 0;

-- When a call of ours last changed the ERP's document, so that a list of the
-- ERP's newest documents is known to show it or not.
ALTER TABLE deliveries ADD COLUMN written_at INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET written_at = changed_at WHERE present = 1;
-- Orders of the past, which let today's go first.
ALTER TABLE deliveries ADD COLUMN background INTEGER NOT NULL DEFAULT 0 CHECK (background IN (0, 1));
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (erp, background, next_at) WHERE state IN ('due', 'unknown');
CREATE INDEX deliveries_since ON deliveries (since) WHERE state IN ('due', 'sending', 'unknown');

ALTER TABLE shops ADD COLUMN timezone         TEXT NOT NULL DEFAULT '';    -- IANA; '': not yet told
ALTER TABLE shops ADD COLUMN began_at         INTEGER NOT NULL DEFAULT 0;  -- orders placed before it are not looked for; 0: not yet begun
ALTER TABLE shops ADD COLUMN complete_from    INTEGER NOT NULL DEFAULT 0;  -- changes from here on
ALTER TABLE shops ADD COLUMN complete_through INTEGER NOT NULL DEFAULT 0;  -- to here were compared on all three sides; 0: never
ALTER TABLE shops ADD COLUMN number_seen      INTEGER NOT NULL DEFAULT 0;  -- every order number up to it was heard of, or looked for

-- A difference between Shopify, what is known here, and the ERP. doc.go draws its states.
CREATE TABLE gaps (
  id         INTEGER PRIMARY KEY,
  shop       TEXT NOT NULL,
  order_id   INTEGER NOT NULL,           -- 0: not about one order
  erp        TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('missing', 'stale', 'mismatch', 'doubled', 'stuck', 'parked', 'orphan', 'subscription', 'silence')),
  subject    TEXT NOT NULL,              -- what else it is about: a topic; '' for an order's
  state      TEXT NOT NULL CHECK (state IN ('open', 'healing', 'closed', 'ignored')),
  about      TEXT NOT NULL,              -- by what the same fault is known again: the version that is wanted
  cause      TEXT NOT NULL,
  detail     TEXT NOT NULL,              -- the evidence, in a sentence
  found_by   TEXT NOT NULL,
  run_id     INTEGER NOT NULL,           -- 0: not found by a run
  since      INTEGER NOT NULL,           -- when the fault began, as far as is known
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  checked_at INTEGER NOT NULL,           -- when the ERP was last asked about it; 0: never
  healed_by  TEXT NOT NULL,
  closed_at  INTEGER NOT NULL,           -- 0: not closed
  ignored_by TEXT NOT NULL,
  reason     TEXT NOT NULL,              -- why it is ignored
  reopened   INTEGER NOT NULL,           -- how often it came back
  alerted_at INTEGER NOT NULL,           -- when people were last told; 0: never
  CHECK ((state = 'closed') = (closed_at > 0)),
  CHECK (state <> 'closed' OR healed_by <> ''),
  CHECK (state <> 'ignored' OR (ignored_by <> '' AND reason <> ''))
) STRICT;
CREATE UNIQUE INDEX gaps_live ON gaps (shop, order_id, kind, subject, erp) WHERE state <> 'closed';
CREATE INDEX gaps_state  ON gaps (state, id);
CREATE INDEX gaps_kind   ON gaps (kind, id);
CREATE INDEX gaps_order  ON gaps (order_id, shop, id);
CREATE INDEX gaps_shop   ON gaps (shop, id);
CREATE INDEX gaps_first  ON gaps (first_seen);
CREATE INDEX gaps_last   ON gaps (last_seen);
CREATE INDEX gaps_told   ON gaps (alerted_at) WHERE closed_at > 0 AND alerted_at > 0;

-- What happened to a gap.
CREATE TABLE gap_steps (
  id     INTEGER PRIMARY KEY,
  gap_id INTEGER NOT NULL,
  at     INTEGER NOT NULL,
  step   TEXT NOT NULL CHECK (step IN ('opened', 'seen', 'healing', 'closed', 'ignored', 'reopened', 'alerted')),
  by     TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX gap_steps_gap ON gap_steps (gap_id, id);
CREATE TRIGGER gap_steps_stay   BEFORE UPDATE ON gap_steps BEGIN SELECT RAISE(ABORT, 'gap steps are append-only'); END;
CREATE TRIGGER gap_steps_remain BEFORE DELETE ON gap_steps BEGIN SELECT RAISE(ABORT, 'gap steps are append-only'); END;

-- Passes of work: what was compared, polled or fetched, and what came of it.
CREATE TABLE runs (
  id         INTEGER PRIMARY KEY,
  shop       TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('poll', 'reconcile', 'deep', 'day', 'backfill')),
  state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'partial', 'failed', 'stopped')),
  by         TEXT NOT NULL,
  from_at    INTEGER NOT NULL,
  to_at      INTEGER NOT NULL,
  heal       INTEGER NOT NULL CHECK (heal IN (0, 1)),
  started_at INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL,           -- 0: under way
  done       INTEGER NOT NULL,           -- orders worked through
  total      INTEGER NOT NULL,           -- of so many; 0: not known
  found      INTEGER NOT NULL,           -- gaps found
  data       TEXT NOT NULL,              -- JSON: the balance, or where a backfill goes on
  note       TEXT NOT NULL,              -- what went wrong, or could not be seen
  CHECK ((state = 'running') = (ended_at = 0))
) STRICT;
CREATE INDEX runs_shop ON runs (shop, kind, id);
CREATE INDEX runs_kind ON runs (kind, id);
CREATE INDEX runs_of   ON runs (shop, id);
CREATE INDEX runs_state ON runs (state, id);
CREATE UNIQUE INDEX runs_one ON runs (shop, kind, from_at, to_at) WHERE state = 'running';

-- The report of a shop's day, each version of it.
CREATE TABLE reports (
  shop     TEXT NOT NULL,
  day      TEXT NOT NULL,                -- 2026-11-22, the shop's own
  revision INTEGER NOT NULL,             -- 1: as it was frozen; more: amended
  made_at  INTEGER NOT NULL,
  balanced INTEGER NOT NULL CHECK (balanced IN (0, 1)),
  report   TEXT NOT NULL,                -- JSON
  PRIMARY KEY (shop, day, revision)
) STRICT, WITHOUT ROWID;

-- Webhooks by the hour, for each shop's habit.
CREATE TABLE habits (
  shop TEXT NOT NULL,
  hour INTEGER NOT NULL,                 -- microseconds UTC, whole hours
  n    INTEGER NOT NULL,
  PRIMARY KEY (shop, hour)
) STRICT, WITHOUT ROWID;

-- What people are to be told, until each channel has taken it.
CREATE TABLE letters (
  id      INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  kind    TEXT NOT NULL,
  subject TEXT NOT NULL,
  text    TEXT NOT NULL,
  html    TEXT NOT NULL,
  data    TEXT NOT NULL,                 -- JSON
  made_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  tries   INTEGER NOT NULL,
  sent_at INTEGER NOT NULL,              -- 0: not yet
  error   TEXT NOT NULL
) STRICT;
CREATE INDEX letters_due  ON letters (next_at) WHERE sent_at = 0;
CREATE INDEX letters_sent ON letters (sent_at) WHERE sent_at > 0;
