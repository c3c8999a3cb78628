-- A run gives signs of life: without one for its lease, whatever carried it out is dead.
ALTER TABLE runs ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN beside INTEGER NOT NULL DEFAULT 0 CHECK (beside IN (0, 1)); -- a command carries it out, not the database's owner

-- A report may say that its day could not be checked; a later revision then does better.
ALTER TABLE reports ADD COLUMN partial INTEGER NOT NULL DEFAULT 0 CHECK (partial IN (0, 1));
