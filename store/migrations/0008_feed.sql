-- What ERPs that pull may fetch, one row a version of an order, and what they answered.
CREATE TABLE offers (
  seq         INTEGER PRIMARY KEY,       -- grows with each offer, in a restored copy too: it begins with the time
  erp         TEXT NOT NULL,
  ref         TEXT NOT NULL,
  shop        TEXT NOT NULL,
  order_id    INTEGER NOT NULL,
  version     TEXT NOT NULL,
  label       TEXT NOT NULL,             -- the version as the ERP is told it: each offer of a reference has its own
  hash        TEXT NOT NULL,             -- of the document, see erp.Document
  cancelled   INTEGER NOT NULL CHECK (cancelled IN (0, 1)),
  state       TEXT NOT NULL CHECK (state IN ('open', 'superseded', 'taken', 'refused')),
  offered_at  INTEGER NOT NULL,
  answered_at INTEGER NOT NULL,          -- 0: not yet
  erp_ref     TEXT NOT NULL,             -- the ERP's own number
  total       TEXT NOT NULL,             -- as the ERP says; '': it does not
  currency    TEXT NOT NULL,
  UNIQUE (erp, ref, label),
  CHECK (state NOT IN ('taken', 'refused') OR answered_at > 0)
) STRICT;
CREATE INDEX offers_open  ON offers (erp, seq) WHERE state = 'open';
CREATE INDEX offers_ref   ON offers (erp, ref, seq);
CREATE INDEX offers_taken ON offers (erp, answered_at, seq) WHERE state = 'taken';
CREATE INDEX offers_refused ON offers (answered_at) WHERE state = 'refused';
CREATE INDEX offers_order ON offers (shop, order_id);

-- The document while it is on offer, and the ERP's words where it was refused; packed, and
-- apart from the offer so that an answer, age and redaction can take it.
CREATE TABLE offer_bodies (
  seq  INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- Tokens may be for the feed alone.
CREATE TABLE tokens_new (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  scope      TEXT NOT NULL CHECK (scope IN ('viewer', 'operator', 'admin', 'metrics', 'feed')),
  hash       BLOB NOT NULL UNIQUE,       -- SHA-256 of the token
  created_at INTEGER NOT NULL
) STRICT;
INSERT INTO tokens_new SELECT id, name, scope, hash, created_at FROM tokens;
DROP TABLE tokens;
ALTER TABLE tokens_new RENAME TO tokens;
