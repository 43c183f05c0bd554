"""A response whose first attempt broke off, read by the helper from its first event on."""

import sys

from script import contiguous, each, entered, equal, got, run, strict


async def scenario(client):
    (name,) = sys.argv[1:]
    stored = await strict(client.responses.retrieve(name))
    events = [event async for event in each(client.responses.retrieve(name, stream=True))]
    equal(contiguous(events)[-1].type, "response.completed")
    equal(events[-1].response.output, stored.output)
    async with entered(client.responses.stream(response_id=name)) as stream:
        final = await got(stream.get_final_response())
    equal(final.output_text, stored.output_text)
    equal([item.id for item in final.output], [item.id for item in stored.output])
    return {"events": len(events)}


run(scenario)
