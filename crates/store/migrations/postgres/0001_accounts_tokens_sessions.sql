-- Times are milliseconds since 1970 (UTC). Identifiers are CUIDs.
-- The key of whatever an account owns begins with the owner.

CREATE TABLE account (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    email         TEXT COLLATE "C" NOT NULL UNIQUE,
    name          TEXT,
    role          TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'user')),
    password_hash TEXT,
    disabled_at   BIGINT,
    created_at    BIGINT NOT NULL
);

-- Found by its identifier, before it is known who asks.
CREATE TABLE token (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner        TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('sign-in', 'personal')),
    name         TEXT,
    hash         BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT
);

CREATE INDEX token_by_owner ON token (owner, kind, id);
CREATE INDEX token_by_expiry ON token (expires_at) WHERE expires_at IS NOT NULL;

-- The next number that was never given out.
CREATE TABLE id_block (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);

INSERT INTO id_block (name, next) VALUES ('session', 1);

CREATE TABLE session (
    owner          TEXT COLLATE "C" NOT NULL REFERENCES account (id),
    number         BIGINT NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    title          TEXT NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('text', 'file')),
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'deactivated')),
    system_message TEXT NOT NULL,
    version        BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (owner, number),
    UNIQUE (owner, id)
);

-- The list; with status and kind in it, a filter is decided without a look at the rows.
CREATE INDEX session_by_change ON session (owner, updated_at, number, status, kind);

-- What was answered under an idempotency key, for a retry. The outcome of a session that has been
-- deleted since is NULL.
CREATE TABLE idempotency (
    owner      TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    request    BYTEA NOT NULL,
    outcome    TEXT,
    session    BIGINT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (owner, key)
);

CREATE INDEX idempotency_by_session ON idempotency (owner, session) WHERE session IS NOT NULL;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
