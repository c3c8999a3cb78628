-- When Gapless first took care of a shop: daily reports begin with that day,
-- however far back orders are looked for. 0: it does not yet. Of a shop that it
-- takes care of already, the first thing known to have been done.
ALTER TABLE shops ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
UPDATE shops SET started_at = coalesce((SELECT min(r.started_at) FROM runs r WHERE r.shop = shops.shop), began_at) WHERE began_at > 0;
