// Chat completions: whole, streamed, with tools, and kept as a session.

import { MODEL, TOOL, all, equal, run, said } from './script.mjs';

const CALLING = 'tokens=1 calls=1';
const tools = [{ type: 'function', function: TOOL }];
const user = (content) => [{ role: 'user', content }];

async function withTools(completions) {
  const messages = user(CALLING);
  const { choices } = await completions.create({ model: MODEL, messages, tools });
  const { finish_reason, message } = choices[0];
  equal([finish_reason, message.tool_calls.length], ['tool_calls', 1]);
  const call = message.tool_calls[0];
  messages.push(message, { role: 'tool', tool_call_id: call.id, content: 'tokens=2 sunny' });
  const answer = await completions.create({ model: MODEL, messages, tools });
  said(answer.choices[0].message.content, 2);
  // The helper calls the tool and goes on by itself.
  const asked = [];
  const weather = (given) => {
    asked.push(given);
    return 'tokens=3 rain';
  };
  const runner = completions.runTools({
    model: MODEL,
    messages: user(CALLING),
    stream: true,
    tools: [{ type: 'function', function: { ...TOOL, parse: JSON.parse, function: weather } }],
  });
  said(await runner.finalContent(), 3);
  equal(asked, [JSON.parse(call.function.arguments)]);
}

await run(async ({ chat: { completions } }) => {
  const answer = await completions.create({ model: MODEL, messages: user('tokens=3 one') });
  said(answer.choices[0].message.content, 3);
  equal([answer.choices[0].finish_reason, answer.usage.completion_tokens], ['stop', 3]);
  const chunks = await all(
    completions.create({
      model: MODEL,
      messages: user('tokens=4 two'),
      stream: true,
      stream_options: { include_usage: true },
    }),
  );
  said(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), 4);
  equal(chunks.at(-1).usage.completion_tokens, 4);
  const stream = completions.stream({ model: MODEL, messages: user('tokens=5 three') });
  said(await stream.finalContent(), 5);
  await withTools(completions);
  const kept = { model: MODEL, store: true, metadata: { from: 'node' } };
  const whole = await completions.create({ ...kept, messages: user('tokens=6 kept') });
  said(whole.choices[0].message.content, 6);
  const streamed = await all(completions.create({ ...kept, messages: user('tokens=7 kept'), stream: true }));
  said(streamed.map((chunk) => chunk.choices[0].delta.content ?? '').join(''), 7);
  return { calls: 9, kept: 2 };
});
