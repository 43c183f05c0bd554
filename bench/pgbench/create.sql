-- One statement, which takes the number of the feed as well. The numbers of the sessions are this
-- client's own, from :first on.
\set n :first + :i * :clients + :client_id
\set o 1000000 + random(1, :owners) % :owners
SELECT token.id, token.kind, token.name, token.created_at, token.expires_at, token.last_used_at, token.hash,
  account.id, account.email, account.name, account.role, account.disabled_at, account.created_at
FROM token JOIN account ON account.id = token.owner WHERE token.id = 'cbenchtoken0000000' || :o::text;
WITH counted AS (
  INSERT INTO feed (owner, last, swept) VALUES ('cbenchowner0000000' || :o::text, 1, 0)
  ON CONFLICT (owner) DO UPDATE SET last = feed.last + excluded.last RETURNING last
)
INSERT INTO session (owner, number, id, title, kind, status, system_message, version, created_at,
  updated_at, named, external_id, metadata, changed)
SELECT 'cbenchowner0000000' || :o::text, :n::bigint, 'cbenchmade00000' || :n::text, 'My Chat', 'text', 'active', '', 1, :now::bigint, :now::bigint, TRUE,
  NULL, '{}', counted.last FROM counted
RETURNING session.number, session.id, session.owner, session.title, session.kind, session.status,
  session.system_message, session.version, session.created_at, session.updated_at, session.named,
  session.model, session.head, session.external_id, session.metadata;
\set i :i + 1
