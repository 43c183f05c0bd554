-- Whatever a session holds. `changed` is a number of the owner's feed: each change takes the next one,
-- so what has changed behind a cursor is found by an index.

CREATE TABLE feed (
    owner TEXT    NOT NULL PRIMARY KEY,
    -- The last number that was given out.
    last  INTEGER NOT NULL,
    -- The last number of a deletion that is no longer kept: a cursor before it has missed something.
    swept INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE session ADD COLUMN named   INTEGER NOT NULL DEFAULT 1;
ALTER TABLE session ADD COLUMN model   TEXT;
ALTER TABLE session ADD COLUMN head    TEXT;
ALTER TABLE session ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
UPDATE session SET named = 0 WHERE title = 'New Chat';
CREATE INDEX session_by_feed ON session (owner, changed);

CREATE TABLE deleted_session (
    owner      TEXT    NOT NULL,
    changed    INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (owner, changed)
) STRICT, WITHOUT ROWID;

CREATE INDEX deleted_session_by_time ON deleted_session (deleted_at);

-- A row is large, so the key is beside it and not around it.
CREATE TABLE message (
    owner         TEXT    NOT NULL,
    session       INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    id            TEXT    NOT NULL,
    session_id    TEXT    NOT NULL,
    depth         INTEGER NOT NULL,
    parent        INTEGER,
    parent_id     TEXT,
    role          TEXT    NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content       TEXT    NOT NULL,
    model         TEXT,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    finish_reason TEXT,
    -- The reply that it is.
    reply         TEXT,
    status        TEXT    NOT NULL
        CHECK (status IN ('queued', 'running', 'done', 'stopped', 'failed')),
    created_at    INTEGER NOT NULL,
    changed       INTEGER NOT NULL,
    PRIMARY KEY (owner, session, seq),
    UNIQUE (owner, id)
) STRICT;

CREATE INDEX message_by_feed ON message (owner, changed);

CREATE TABLE reply (
    owner             TEXT    NOT NULL,
    id                TEXT    NOT NULL,
    session           INTEGER NOT NULL,
    session_id        TEXT    NOT NULL,
    prompt            INTEGER NOT NULL,
    prompt_id         TEXT    NOT NULL,
    message           INTEGER NOT NULL,
    message_id        TEXT    NOT NULL,
    status            TEXT    NOT NULL
        CHECK (status IN ('queued', 'running', 'done', 'stopped', 'failed')),
    -- Goes up with each claim, and so fences whoever had an earlier one.
    attempt           INTEGER NOT NULL,
    lease_until       INTEGER,
    -- Why a running one is to end.
    stop              TEXT CHECK (stop IN ('stopped', 'interrupted')),
    model             TEXT    NOT NULL,
    input_tokens      INTEGER,
    output_tokens     INTEGER,
    left_out          INTEGER NOT NULL,
    error_kind        TEXT,
    error_message     TEXT,
    error_retry_after INTEGER,
    -- Which deltas the message was made of, once it has ended: they are not kept as events.
    folded            TEXT,
    created_at        INTEGER NOT NULL,
    finished_at       INTEGER,
    changed           INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX reply_by_session ON reply (owner, session, message);
CREATE INDEX reply_by_feed ON reply (owner, changed);
CREATE INDEX reply_open ON reply (owner, session, message, status, lease_until)
    WHERE status IN ('queued', 'running');

-- Keyed by the place of the reply's message, which is shorter than its identifier.
CREATE TABLE reply_event (
    owner   TEXT    NOT NULL,
    session INTEGER NOT NULL,
    message INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    -- One of accepted, started, text, reasoning, reset, usage, finished. As a CHECK with IN it would
    -- build a table of the seven words for each row.
    kind    TEXT    NOT NULL,
    data    TEXT    NOT NULL,
    PRIMARY KEY (owner, session, message, number)
) STRICT, WITHOUT ROWID;

-- What models have cost; outlives its session.
CREATE TABLE usage (
    owner         TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    id            TEXT    NOT NULL,
    session       INTEGER,
    session_id    TEXT,
    model         TEXT    NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (owner, at, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_by_session ON usage (owner, session) WHERE session IS NOT NULL;
