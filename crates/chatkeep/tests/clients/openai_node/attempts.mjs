// A response whose first attempt broke off, read by the helper from its first event on.

import { all, contiguous, equal, run } from './script.mjs';

await run(async ({ responses }) => {
  const name = process.argv[2];
  const stored = await responses.retrieve(name);
  const events = contiguous(await all(responses.retrieve(name, { stream: true })));
  equal(events.at(-1).response.output, stored.output);
  const final = await responses.stream({ response_id: name }).finalResponse();
  equal(final.output_text, stored.output_text);
  equal(final.output.map((item) => item.id), stored.output.map((item) => item.id));
  return { events: events.length };
});
