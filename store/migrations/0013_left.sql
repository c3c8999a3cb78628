-- Who has not got a letter yet where the other recipients of its channel have: a
-- JSON list of their addresses. Empty: it is for all.
ALTER TABLE letters ADD COLUMN recipients TEXT NOT NULL DEFAULT '';
