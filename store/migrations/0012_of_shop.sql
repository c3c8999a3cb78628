-- Lists of one shop that walk what is that shop's alone, however much there is
-- of another. Most deliveries come to rest in these two states.
CREATE INDEX deliveries_of_shop ON deliveries (shop, state, seen_at, order_id) WHERE state = 'delivered' OR state = 'excluded';
DROP INDEX events_topic;
CREATE INDEX events_topic ON events (shop, topic);
