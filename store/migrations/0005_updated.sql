-- A comparison reads its window from the index alone.
DROP INDEX orders_updated;
CREATE INDEX orders_updated ON orders (shop, updated_at, id, created_at);
