-- What a run found first.
CREATE INDEX gaps_run ON gaps (run_id, id) WHERE run_id > 0;
