-- People who log in, what they may do, and what they did.

CREATE TABLE people (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE CHECK (name <> '' AND name = lower(trim(name))),
  role        TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  password    TEXT NOT NULL,             -- argon2id with its parameters; '': none was chosen yet
  totp        BLOB NOT NULL,             -- the packed secret of the second factor; empty: none
  totp_step   INTEGER NOT NULL,          -- time step of the newest code that was taken: none is taken twice
  created_at  INTEGER NOT NULL,
  disabled_at INTEGER NOT NULL           -- 0: may log in
) STRICT;

-- What replaces the second factor, once each.
CREATE TABLE recovery_codes (
  person_id INTEGER NOT NULL,
  hash      BLOB NOT NULL,               -- SHA-256 of the code
  PRIMARY KEY (person_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  id           INTEGER PRIMARY KEY,
  hash         BLOB NOT NULL UNIQUE,     -- SHA-256 of what the cookie holds
  person_id    INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL,
  confirmed_at INTEGER NOT NULL,         -- when the password was last given
  expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_person  ON sessions (person_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- One-time links by which a person chooses a password.
CREATE TABLE links (
  hash       BLOB PRIMARY KEY,           -- SHA-256 of the link's secret
  person_id  INTEGER NOT NULL,           -- 0: makes the first admin
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX links_person ON links (person_id);

-- From where a person has logged in before: guessing elsewhere can't keep them out.
CREATE TABLE places (
  person_id INTEGER NOT NULL,
  address   TEXT NOT NULL,
  seen_at   INTEGER NOT NULL,
  PRIMARY KEY (person_id, address)
) STRICT, WITHOUT ROWID;

-- Who did what.
CREATE TABLE audit (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  who    TEXT NOT NULL,
  what   TEXT NOT NULL,
  about  TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_who ON audit (who, id);
CREATE TRIGGER audit_stays   BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
