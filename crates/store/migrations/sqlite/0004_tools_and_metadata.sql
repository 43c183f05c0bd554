-- What a client calls a session, and notes with it; what somebody wanted of a reply.

ALTER TABLE session ADD COLUMN external_id TEXT;
ALTER TABLE session ADD COLUMN metadata    TEXT NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX session_by_external_id ON session (owner, external_id)
    WHERE external_id IS NOT NULL;

ALTER TABLE reply ADD COLUMN options TEXT;
ALTER TABLE reply ADD COLUMN hidden  INTEGER NOT NULL DEFAULT 0;

-- A message may be a tool's, too. SQLite changes a CHECK only with a table; nothing refers to this one.
ALTER TABLE message RENAME TO message_before;

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
    role          TEXT    NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
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

INSERT INTO message (owner, session, seq, id, session_id, depth, parent, parent_id, role, content,
    model, input_tokens, output_tokens, finish_reason, reply, status, created_at, changed)
SELECT owner, session, seq, id, session_id, depth, parent, parent_id, role, content,
    model, input_tokens, output_tokens, finish_reason, reply, status, created_at, changed
FROM message_before;

DROP TABLE message_before;
CREATE INDEX message_by_feed ON message (owner, changed);
