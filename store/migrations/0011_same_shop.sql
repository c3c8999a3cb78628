-- Which shop in Shopify a name of the config stands for, so that what is known
-- of one is never taken for what is known of another. Empty: not told yet.
ALTER TABLE shops ADD COLUMN domain TEXT NOT NULL DEFAULT '';
ALTER TABLE shops ADD COLUMN shopify_id TEXT NOT NULL DEFAULT '';
