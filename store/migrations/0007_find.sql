-- What a run found first.
CREATE INDEX gaps_run ON gaps (run_id, id) WHERE run_id > 0;

-- What an order is found by of its customer: see customers.go. Orders that are
-- here already are found so from their next version on.
CREATE TABLE customers (
  token    INTEGER NOT NULL,             -- keyed hash of an e-mail address, or of a word of a name
  order_id INTEGER NOT NULL,
  shop     TEXT NOT NULL,
  PRIMARY KEY (token, order_id, shop)
) STRICT, WITHOUT ROWID;
CREATE INDEX customers_order ON customers (order_id, shop);
