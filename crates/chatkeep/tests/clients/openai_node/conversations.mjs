// Models, conversations, their items, and our list of conversations.

import OpenAI from 'openai';
import { ConversationCursorPage } from 'openai/core/pagination';
import { MODEL, all, equal, refused, run } from './script.mjs';

async function models(client) {
  const names = (await all(client.models.list())).map((model) => model.id);
  equal(names.includes(MODEL), true);
  equal((await client.models.retrieve(MODEL)).id, MODEL);
  await refused(OpenAI.NotFoundError, () => client.models.retrieve('nobody'), { code: 'model_not_found' });
}

async function one({ conversations }) {
  const made = await conversations.create({ metadata: { topic: 'demo' } });
  equal(made.metadata, { topic: 'demo' });
  equal(await conversations.retrieve(made.id), made);
  const changed = await conversations.update(made.id, { metadata: { title: 'Plans' } });
  equal([changed.title, changed.metadata], ['Plans', { title: 'Plans' }]);
  const deleted = await conversations.delete(made.id);
  equal([deleted.id, deleted.deleted], [made.id, true]);
  await refused(OpenAI.NotFoundError, () => conversations.retrieve(made.id));
  const metadata = { long: 'x'.repeat(513) };
  await refused(OpenAI.BadRequestError, () => conversations.create({ metadata }), { param: 'metadata' });
}

async function manyItems({ conversations }) {
  const made = await conversations.create({ items: [{ role: 'user', content: 'Which city?' }] });
  const call = { call_id: 'call_1', name: 'weather', arguments: '{"city":"Rome"}' };
  const added = await conversations.items.create(made.id, {
    items: [
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'A moment.' }] },
      { type: 'function_call', ...call },
      { type: 'function_call_output', call_id: 'call_1', output: 'Sunny' },
      { role: 'user', content: [{ type: 'input_text', text: 'And tomorrow?' }] },
    ],
  });
  equal(added.data.map((item) => item.type), ['message', 'function_call', 'function_call_output', 'message']);
  const oldest = await all(conversations.items.list(made.id, { order: 'asc', limit: 2 }));
  const newest = await all(conversations.items.list(made.id, { limit: 3 }));
  equal(oldest, newest.reverse());
  equal(oldest.slice(1), added.data);
  for (const item of oldest) {
    equal(await conversations.items.retrieve(item.id, { conversation_id: made.id }), item);
  }
  const gone = oldest[4].id;
  equal((await conversations.items.delete(gone, { conversation_id: made.id })).id, made.id);
  await refused(OpenAI.NotFoundError, () => conversations.items.retrieve(gone, { conversation_id: made.id }));
  const items = Array(21).fill({ role: 'user', content: 'x' });
  await refused(OpenAI.BadRequestError, () => conversations.items.create(made.id, { items }), { param: 'items' });
  return oldest.length;
}

async function listOfConversations(client) {
  const made = [];
  for (let number = 0; number < 7; number += 1) made.unshift((await client.conversations.create({})).id);
  const query = { limit: 3 };
  const listed = await all(client.getAPIList('/conversations', ConversationCursorPage, { query }));
  equal(listed.slice(0, 7).map((conversation) => conversation.id), made);
  equal(new Set(listed.map((conversation) => conversation.id)).size, listed.length);
  return listed.length;
}

await run(async (client) => {
  await models(client);
  await one(client);
  return { items: await manyItems(client), listed: await listOfConversations(client) };
});
