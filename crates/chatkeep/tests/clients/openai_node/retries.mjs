// Answers that are lost behind the commit: the client tries again by itself, and nothing happens twice.
//
// The proxy breaks the first tries of each request, as many as `X-Cut-Times` says, and lets the next one
// through.

import { MODEL, all, equal, run, said } from './script.mjs';

// Before the server had it, once it had it, once it answers, and within the head of the answer. This client
// does not try again once it has seen the head.
const CUTS = ['before', 'forwarded', 'answered', '100'];

async function lost({ conversations, responses, chat }, cut, tries) {
  const options = { headers: { 'X-Cut': cut, 'X-Cut-Times': tries } };
  const mark = `${cut} ${tries} node`;
  // Only where a conversation is made does the count of tries not do: others may ask in the same words.
  const keyed = { headers: { ...options.headers, 'Idempotency-Key': mark.replaceAll(' ', '-') } };
  const conversation = (await conversations.create({ metadata: { mark } }, keyed)).id;
  const body = { model: MODEL, conversation };
  said((await responses.create({ ...body, input: `tokens=5 ${mark} whole` }, options)).output_text, 5);
  const streamed = { ...body, input: `tokens=5 ${mark} streamed`, stream: true };
  const events = await all(responses.create(streamed, options));
  equal(events.at(-1).type, 'response.completed');
  const items = await all(conversations.items.list(conversation));
  equal(items.map((item) => item.role), ['assistant', 'user', 'assistant', 'user']);
  for (const store of [true, false]) {
    const messages = [{ role: 'user', content: `tokens=5 ${mark} ${store}` }];
    const answer = await chat.completions.create({ model: MODEL, messages, store }, options);
    said(answer.choices[0].message.content, 5);
  }
}

await run(async (client) => {
  // A client waits for half a second or more between two tries.
  const ways = CUTS.flatMap((cut) => ['1', '2'].map((tries) => lost(client, cut, tries)));
  const count = (await Promise.all(ways)).length;
  return { conversations: count, turns: 2 * count, completions: 2 * count };
}, 2);
