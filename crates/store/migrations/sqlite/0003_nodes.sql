-- The processes that serve; each says again and again that it is alive.
CREATE TABLE node (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    replies    INTEGER NOT NULL,
    draining   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
