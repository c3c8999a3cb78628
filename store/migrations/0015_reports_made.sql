-- Reports that a clock that was ahead has made are found without a walk through all.
CREATE INDEX reports_made ON reports (made_at);
