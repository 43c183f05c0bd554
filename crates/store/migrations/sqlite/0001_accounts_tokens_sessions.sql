-- Times are milliseconds since 1970 (UTC). Identifiers are CUIDs.
-- The key of whatever an account owns begins with the owner.

CREATE TABLE account (
    id            TEXT    NOT NULL PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    name          TEXT,
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'user')),
    password_hash TEXT,
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Found by its identifier, before it is known who asks.
CREATE TABLE token (
    id           TEXT    NOT NULL PRIMARY KEY,
    owner        TEXT    NOT NULL REFERENCES account (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('sign-in', 'personal')),
    name         TEXT,
    hash         BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_by_owner ON token (owner, kind, id);
CREATE INDEX token_by_expiry ON token (expires_at) WHERE expires_at IS NOT NULL;

-- The next number that was never given out.
CREATE TABLE id_block (
    name TEXT    NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO id_block (name, next) VALUES ('session', 1);

CREATE TABLE session (
    owner          TEXT    NOT NULL REFERENCES account (id),
    number         INTEGER NOT NULL,
    id             TEXT    NOT NULL,
    title          TEXT    NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('text', 'file')),
    status         TEXT    NOT NULL CHECK (status IN ('active', 'deactivated')),
    system_message TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (owner, number),
    UNIQUE (owner, id)
) STRICT, WITHOUT ROWID;

-- The list; with status and kind in it, a filter is decided without a look at the rows.
CREATE INDEX session_by_change ON session (owner, updated_at, number, status, kind);

-- What was answered under an idempotency key, for a retry. The outcome of a session that has been
-- deleted since is NULL.
CREATE TABLE idempotency (
    owner      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    BLOB    NOT NULL,
    outcome    TEXT,
    session    INTEGER,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_session ON idempotency (owner, session) WHERE session IS NOT NULL;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
