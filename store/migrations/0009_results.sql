-- Attempts that did not end as most do, for lists of one result.
CREATE INDEX outcomes_result ON outcomes (result, attempt_id) WHERE result NOT IN ('created', 'updated');

-- Did the door turn a shop's webhook away? Asked of each one that never came.
CREATE INDEX refusals_shop ON refusals (shop, at);
