// Responses: made, streamed, resumed, cancelled, deleted; with tools; parsed.

import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { MODEL, TOOL, all, contiguous, equal, refused, run, said } from './script.mjs';

const CALLING = 'tokens=1 reasoning=2 calls=1';
const tools = [{ type: 'function', ...TOOL }];
const format = {
  type: 'json_schema',
  name: 'answer',
  strict: true,
  schema: {
    type: 'object',
    properties: { answer: { type: 'integer' } },
    required: ['answer'],
    additionalProperties: false,
  },
};

/** By the conversation, and by the response before. */
async function turns({ responses, conversations }) {
  const first = await responses.create({ model: MODEL, input: 'tokens=3 one' });
  said(first.output_text, 3);
  equal(first.status, 'completed');
  equal(await responses.retrieve(first.id), first);
  const second = await responses.create({ model: MODEL, input: 'tokens=4 two', previous_response_id: first.id });
  said(second.output_text, 4);
  equal(second.conversation.id, first.conversation.id);
  const conversation = await conversations.create({});
  const answer = await responses.create({ model: MODEL, input: 'tokens=2 on', conversation: conversation.id });
  const items = await all(conversations.items.list(conversation.id));
  equal(items.map((item) => item.role), ['assistant', 'user']);
  equal(items[0].id, answer.output[0].id);
  const body = { model: MODEL, input: 'tokens=1', previous_response_id: 'resp_nothing' };
  const code = 'previous_response_not_found';
  await refused(OpenAI.BadRequestError, () => responses.create(body), { code });
  const given = await responses.create({
    model: MODEL,
    instructions: 'Be brief.',
    input: [{ role: 'user', content: [{ type: 'input_text', text: 'tokens=2 items' }] }],
    metadata: { purpose: 'test' },
  });
  equal([given.instructions, given.metadata], ['Be brief.', { purpose: 'test' }]);
  equal((await all(responses.inputItems.list(given.id))).length, 1);
  return 4;
}

async function unkept({ responses }) {
  const answer = await responses.create({ model: MODEL, input: 'tokens=2 unkept', store: false });
  said(answer.output_text, 2);
  await refused(OpenAI.NotFoundError, () => responses.retrieve(answer.id));
  return 1;
}

async function background({ responses }) {
  let answer = await responses.create({ model: MODEL, input: 'tokens=5 every_ms=5', background: true });
  while (answer.status === 'queued' || answer.status === 'in_progress') {
    // As a client does.
    await sleep(20);
    answer = await responses.retrieve(answer.id);
  }
  equal(answer.status, 'completed');
  said(answer.output_text, 5);
  const begun = await responses.create({ model: MODEL, input: 'tokens=5 stall_after=2', background: true });
  // Once something of it is there.
  for await (const event of await responses.retrieve(begun.id, { stream: true })) {
    if (event.type === 'response.output_text.delta') break;
  }
  equal((await responses.cancel(begun.id)).status, 'cancelled');
  equal((await responses.retrieve(begun.id)).status, 'cancelled');
  await responses.delete(begun.id);
  await refused(OpenAI.NotFoundError, () => responses.retrieve(begun.id));
  return 2;
}

async function calls({ responses }) {
  const asked = await responses.create({ model: MODEL, input: CALLING, tools });
  const call = asked.output.find((item) => item.type === 'function_call');
  equal(call.name, 'weather');
  JSON.parse(call.arguments);
  const input = [{ type: 'function_call_output', call_id: call.call_id, output: 'tokens=6 sunny' }];
  const answer = await responses.create({ model: MODEL, input, tools, previous_response_id: asked.id });
  said(answer.output_text, 6);
  return 2;
}

async function streams({ responses }) {
  const body = { model: MODEL, input: `${CALLING} every_ms=1`, tools };
  const events = contiguous(await all(responses.create({ ...body, stream: true })));
  const final = events.at(-1).response;
  equal([events[0].type, events.at(-1).type], ['response.created', 'response.completed']);
  equal(final.output.map((item) => item.type), ['reasoning', 'message', 'function_call']);
  for (let after = 0; after < events.length; after += 1) {
    const resumed = await responses.retrieve(final.id, { stream: true, starting_after: after });
    equal(await all(resumed), events.slice(after + 1));
  }
  // The helper puts the response together by itself.
  let text = '';
  const stream = responses.stream({ ...body, input: `${CALLING} more` });
  stream.on('response.output_text.delta', (event) => (text += event.delta));
  const helped = await stream.finalResponse();
  said(text, 1);
  equal(helped.output_text, text);
  equal(helped.output.map((item) => item.type), ['reasoning', 'message', 'function_call']);
  const again = responses.stream({ response_id: helped.id, starting_after: 3 });
  const numbers = (await all(again)).map((event) => event.sequence_number);
  equal(numbers, numbers.map((_, number) => number + 4));
  const ids = ({ output }) => output.map((item) => item.id);
  equal(ids(await again.finalResponse()), ids(helped));
  return 2;
}

async function parsed({ responses }) {
  const body = { model: MODEL, text: { format } };
  const whole = await responses.parse({ ...body, input: 'say={"answer":42}' });
  equal(JSON.parse(whole.output_text), { answer: 42 });
  equal(whole.output_parsed, { answer: 42 });
  return 1;
}

await run(async (client) => {
  let count = 0;
  for (const part of [turns, unkept, background, calls, streams, parsed]) count += await part(client);
  return { calls: count };
});
