-- As the store has it: whose token it is, and the session.
\set n random(:first, :last)
\set o 1000000 + :n % :owners
SELECT token.id, token.kind, token.name, token.created_at, token.expires_at, token.last_used_at, token.hash,
  account.id, account.email, account.name, account.role, account.disabled_at, account.created_at
FROM token JOIN account ON account.id = token.owner WHERE token.id = 'cbenchtoken0000000' || :o::text;
SELECT session.number, session.id, session.owner, session.title, session.kind, session.status,
  session.system_message, session.version, session.created_at, session.updated_at, session.named,
  session.model, session.head, session.external_id, session.metadata
FROM session WHERE owner = 'cbenchowner0000000' || :o::text AND number = :n;
