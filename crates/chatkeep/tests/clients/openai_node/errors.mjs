// Every error is of the class that its status stands for.

import OpenAI from 'openai';
import { MODEL, equal, refused, run } from './script.mjs';

const user = (content) => [{ role: 'user', content }];

await run(async (client) => {
  const { responses, conversations, chat } = client;
  const stranger = client.withOptions({ apiKey: 'nobody' });
  const unknown = { code: 'invalid_api_key', type: 'authentication_error' };
  await refused(OpenAI.AuthenticationError, () => stranger.models.retrieve(MODEL), unknown);
  await refused(OpenAI.AuthenticationError, () => stranger.responses.create({ model: MODEL, input: 'x' }), unknown);
  const wrong = { model: 'nobody', input: 'x' };
  await refused(OpenAI.NotFoundError, () => responses.create(wrong), { code: 'model_not_found', param: 'model' });
  const many = { model: MODEL, messages: user('x'), n: 2 };
  await refused(OpenAI.BadRequestError, () => chat.completions.create(many), { param: 'n' });
  for (const [status, kind] of [[429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError]]) {
    for (const store of [true, false]) {
      const prompt = `status=${status} ${store}`;
      await refused(kind, () => responses.create({ model: MODEL, input: prompt, store }));
      await refused(kind, () => chat.completions.create({ model: MODEL, messages: user(prompt), store }));
    }
  }
  const conversation = (await conversations.create({})).id;
  const body = { model: MODEL, conversation };
  const running = await responses.create({ ...body, input: 'stall_after=1', background: true });
  const locked = { code: 'conversation_locked', param: 'conversation' };
  const second = { ...body, input: 'x', when_busy: 'reject' };
  await refused(OpenAI.BadRequestError, () => responses.create(second), locked);
  equal((await responses.cancel(running.id)).status, 'cancelled');
  return { scenarios: 1 };
});
