-- The processes that serve; each says again and again that it is alive.
CREATE TABLE node (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    replies    BIGINT NOT NULL,
    draining   BOOLEAN NOT NULL
);
