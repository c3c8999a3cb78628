-- Who a person is at an OpenID Connect provider, from their first log-in by it on.
CREATE TABLE identities (
  issuer    TEXT NOT NULL,
  subject   TEXT NOT NULL,               -- the issuer's own name for them, which it gives to nobody else
  person_id INTEGER NOT NULL,
  bound_at  INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject),
  UNIQUE (person_id, issuer)             -- a person is one subject there, whoever else bears their name later
) STRICT, WITHOUT ROWID;
