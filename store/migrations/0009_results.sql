-- Attempts that did not end as most do, for lists of one result.
CREATE INDEX outcomes_result ON outcomes (result, attempt_id) WHERE result NOT IN ('created', 'updated');
