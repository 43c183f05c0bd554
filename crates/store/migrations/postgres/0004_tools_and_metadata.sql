-- What a client calls a session, and notes with it; what somebody wanted of a reply.

ALTER TABLE session ADD COLUMN external_id TEXT COLLATE "C";
ALTER TABLE session ADD COLUMN metadata    TEXT NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX session_by_external_id ON session (owner, external_id)
    WHERE external_id IS NOT NULL;

ALTER TABLE reply ADD COLUMN options TEXT;
ALTER TABLE reply ADD COLUMN hidden  BOOLEAN NOT NULL DEFAULT FALSE;

-- A message may be a tool's, too. What is there kept to a narrower check, and need not be read for this
-- one while nobody else gets at the table.
ALTER TABLE message DROP CONSTRAINT message_role_check;
ALTER TABLE message ADD CONSTRAINT message_role_check
    CHECK (role IN ('system', 'user', 'assistant', 'tool')) NOT VALID;
