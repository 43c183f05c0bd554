-- Titles as a search compares them, and what follows what in a session.

ALTER TABLE session ADD COLUMN folded_title TEXT COLLATE "C" NOT NULL DEFAULT '';

-- The list; with status, kind and title in it, a filter is decided without a look at the rows.
DROP INDEX session_by_change;
CREATE INDEX session_by_change ON session (owner, updated_at, number, status, kind, folded_title);

-- Branches are told without a look at the rows.
CREATE INDEX message_by_parent ON message (owner, session, parent, seq, parent_id, id);
