-- Whatever a session holds. `changed` is a number of the owner's feed: each change takes the next one,
-- so what has changed behind a cursor is found by an index.

CREATE TABLE feed (
    owner TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The last number that was given out.
    last  BIGINT NOT NULL,
    -- The last number of a deletion that is no longer kept: a cursor before it has missed something.
    swept BIGINT NOT NULL
)
    -- Its row is what a change of an owner's locks and counts up first.
    WITH (fillfactor = 50);

ALTER TABLE session ADD COLUMN named   BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE session ADD COLUMN model   TEXT;
ALTER TABLE session ADD COLUMN head    TEXT COLLATE "C";
ALTER TABLE session ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
UPDATE session SET named = FALSE WHERE title = 'New Chat';
CREATE INDEX session_by_feed ON session (owner, changed);

CREATE TABLE deleted_session (
    owner      TEXT COLLATE "C" NOT NULL,
    changed    BIGINT NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    deleted_at BIGINT NOT NULL,
    PRIMARY KEY (owner, changed)
);

CREATE INDEX deleted_session_by_time ON deleted_session (deleted_at);

CREATE TABLE message (
    owner         TEXT COLLATE "C" NOT NULL,
    session       BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    session_id    TEXT COLLATE "C" NOT NULL,
    depth         BIGINT NOT NULL,
    parent        BIGINT,
    parent_id     TEXT COLLATE "C",
    role          TEXT COLLATE "C" NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content       TEXT NOT NULL,
    model         TEXT,
    input_tokens  BIGINT,
    output_tokens BIGINT,
    finish_reason TEXT,
    -- The reply that it is.
    reply         TEXT COLLATE "C",
    status        TEXT COLLATE "C" NOT NULL
        CHECK (status IN ('queued', 'running', 'done', 'stopped', 'failed')),
    created_at    BIGINT NOT NULL,
    changed       BIGINT NOT NULL,
    PRIMARY KEY (owner, session, seq),
    UNIQUE (owner, id)
);

CREATE INDEX message_by_feed ON message (owner, changed);

CREATE TABLE reply (
    owner             TEXT COLLATE "C" NOT NULL,
    id                TEXT COLLATE "C" NOT NULL,
    session           BIGINT NOT NULL,
    session_id        TEXT COLLATE "C" NOT NULL,
    prompt            BIGINT NOT NULL,
    prompt_id         TEXT COLLATE "C" NOT NULL,
    message           BIGINT NOT NULL,
    message_id        TEXT COLLATE "C" NOT NULL,
    status            TEXT COLLATE "C" NOT NULL
        CHECK (status IN ('queued', 'running', 'done', 'stopped', 'failed')),
    -- Goes up with each claim, and so fences whoever had an earlier one.
    attempt           BIGINT NOT NULL,
    lease_until       BIGINT,
    -- Why a running one is to end.
    stop              TEXT COLLATE "C" CHECK (stop IN ('stopped', 'interrupted')),
    model             TEXT NOT NULL,
    input_tokens      BIGINT,
    output_tokens     BIGINT,
    left_out          BIGINT NOT NULL,
    error_kind        TEXT,
    error_message     TEXT,
    error_retry_after BIGINT,
    -- Which deltas the message was made of, once it has ended: they are not kept as events.
    folded            TEXT,
    created_at        BIGINT NOT NULL,
    finished_at       BIGINT,
    changed           BIGINT NOT NULL,
    PRIMARY KEY (owner, id)
)
    -- Leases are renewed, and changed rows stay on their page.
    WITH (fillfactor = 80);

CREATE INDEX reply_by_session ON reply (owner, session, message);
CREATE INDEX reply_by_feed ON reply (owner, changed);
-- Without the lease: it is renewed every few seconds, and what no index holds is changed in place.
CREATE INDEX reply_open ON reply (owner, session, message, status)
    WHERE status IN ('queued', 'running');

-- Keyed by the place of the reply's message, which is shorter than its identifier.
CREATE TABLE reply_event (
    owner   TEXT COLLATE "C" NOT NULL,
    session BIGINT NOT NULL,
    message BIGINT NOT NULL,
    number  BIGINT NOT NULL,
    -- One of accepted, started, text, reasoning, reset, usage, finished.
    kind    TEXT COLLATE "C" NOT NULL,
    data    TEXT NOT NULL,
    PRIMARY KEY (owner, session, message, number)
);

-- What models have cost; outlives its session.
CREATE TABLE usage (
    owner         TEXT COLLATE "C" NOT NULL,
    at            BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    session       BIGINT,
    session_id    TEXT COLLATE "C",
    model         TEXT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    PRIMARY KEY (owner, at, id)
);

CREATE INDEX usage_by_session ON usage (owner, session) WHERE session IS NOT NULL;
