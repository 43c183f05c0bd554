-- The owner's lock, what is there, and the change: two round trips behind that of the token.
\set n random(:first, :last)
\set o 1000000 + :n % :owners
SELECT token.id, token.kind, token.name, token.created_at, token.expires_at, token.last_used_at, token.hash,
  account.id, account.email, account.name, account.role, account.disabled_at, account.created_at
FROM token JOIN account ON account.id = token.owner WHERE token.id = 'cbenchtoken0000000' || :o::text;
\startpipeline
BEGIN;
INSERT INTO feed (owner, last, swept) VALUES ('cbenchowner0000000' || :o::text, 1, 0)
ON CONFLICT (owner) DO UPDATE SET last = feed.last + excluded.last RETURNING last;
SELECT request, outcome FROM idempotency WHERE owner = 'cbenchowner0000000' || :o::text AND key = NULL AND expires_at > :now;
SELECT session.number, session.id, session.owner, session.title, session.kind, session.status,
  session.system_message, session.version, session.created_at, session.updated_at, session.named,
  session.model, session.head, session.external_id, session.metadata
FROM session WHERE owner = 'cbenchowner0000000' || :o::text AND number = :n;
SELECT id FROM message WHERE owner = 'cbenchowner0000000' || :o::text AND id = NULL;
\endpipeline
\startpipeline
UPDATE session SET title = 'Renamed', system_message = '', status = 'active',
  version = version + 1, updated_at = :now::bigint + :i::bigint, named = TRUE, model = NULL, head = NULL,
  changed = changed + 1, metadata = '{}'
WHERE owner = 'cbenchowner0000000' || :o::text AND number = :n;
COMMIT;
\endpipeline
\set i :i + 1
