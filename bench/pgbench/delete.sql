-- Each session once, from :first on.
\set n :first + :i * :clients + :client_id
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
\endpipeline
\startpipeline
DELETE FROM reply WHERE owner = 'cbenchowner0000000' || :o::text AND session = :n;
DELETE FROM reply_event WHERE owner = 'cbenchowner0000000' || :o::text AND session = :n;
DELETE FROM message WHERE owner = 'cbenchowner0000000' || :o::text AND session = :n;
DELETE FROM session WHERE owner = 'cbenchowner0000000' || :o::text AND number = :n;
UPDATE usage SET session = NULL, session_id = NULL WHERE owner = 'cbenchowner0000000' || :o::text AND session = :n;
UPDATE idempotency SET outcome = NULL, session = NULL WHERE owner = 'cbenchowner0000000' || :o::text AND session = :n;
INSERT INTO deleted_session (owner, changed, id, deleted_at)
VALUES ('cbenchowner0000000' || :o::text, :n, 'cbenchmade00000' || :n::text, :now);
COMMIT;
\endpipeline
\set i :i + 1
