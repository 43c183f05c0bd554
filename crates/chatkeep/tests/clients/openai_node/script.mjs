// What every script here does: it runs a scenario with the client, and prints the figures that it counts.

import assert from 'node:assert/strict';
import OpenAI from 'openai';

// What the scripted provider makes of a prompt is in tests/it/provider.rs.
export const MODEL = 'scripted';

export const TOOL = {
  name: 'weather',
  description: 'The weather of a place.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
  strict: true,
};

export const equal = assert.deepStrictEqual;

export async function run(scenario, maxRetries = 0) {
  const client = new OpenAI({
    baseURL: `${process.env.BASE_URL}/v1`,
    apiKey: process.env.KEY,
    maxRetries,
  });
  console.log(JSON.stringify(await scenario(client)));
}

/** All elements of a stream, or of all pages of a list. */
export async function all(items) {
  return await Array.fromAsync(await items);
}

/** A call that must fail with exactly this class, and with these properties. */
export async function refused(kind, call, expected = {}) {
  try {
    await call();
  } catch (error) {
    equal(error.constructor.name, kind.name, String(error));
    for (const [name, value] of Object.entries(expected)) equal(error[name], value);
    assert(error.requestID, String(error));
    return error;
  }
  assert.fail(`no ${kind.name}`);
}

/** That a text is what one call of the provider says with so many tokens. */
export function said(text, tokens) {
  const number = text.split('.')[0];
  equal(text, Array.from({ length: tokens }, (_, token) => `${number}.${token} `).join(''));
}

/** That the events of a response are numbered from 0 without a gap. */
export function contiguous(events) {
  equal(events.map((event) => event.sequence_number), events.map((_, number) => number));
  return events;
}
