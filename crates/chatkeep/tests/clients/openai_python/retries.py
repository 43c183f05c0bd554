"""Answers that are lost behind the commit: the client tries again by itself, and nothing happens twice.

The proxy breaks the first tries of each request, as many as `X-Cut-Times` says, and lets the next one
through.
"""

import asyncio
import functools
import json

from openai import AsyncOpenAI, OpenAI
from script import MODEL, each, equal, said, strict, with_client

# Before the server had it, once it had it, once it answers, within the head of the answer, and within
# its body.
CUTS = ("before", "forwarded", "answered", "100", "600")


async def lost(cut, tries, client):
    headers = {"X-Cut": cut, "X-Cut-Times": tries}
    mark = f"{cut} {tries} {type(client).__name__}"
    # Only where a conversation is made does the count of tries not do: others may ask in the same words.
    key = {"Idempotency-Key": mark.replace(" ", "-")}
    conversation = await strict(
        client.conversations.create(metadata={"mark": mark}, extra_headers={**headers, **key})
    )
    answer = await strict(
        client.responses.create(
            model=MODEL, input=f"tokens=5 {mark} whole", conversation=conversation.id, extra_headers=headers
        )
    )
    said(answer.output_text, 5)
    for store in (True, False):
        messages = [{"role": "user", "content": f"tokens=5 {mark} {store}"}]
        answer = await strict(
            client.chat.completions.create(model=MODEL, messages=messages, store=store, extra_headers=headers)
        )
        said(answer.choices[0].message.content, 5)
    turns = 1
    # Once a stream has begun, no client tries again.
    if cut != "600":
        turns += 1
        events = client.responses.create(
            model=MODEL,
            input=f"tokens=5 {mark} streamed",
            conversation=conversation.id,
            stream=True,
            extra_headers=headers,
        )
        events = [event async for event in each(events)]
        said(events[-1].response.output_text, 5)
    items = [item async for item in each(client.conversations.items.list(conversation.id))]
    equal([item.role for item in items], ["assistant", "user"] * turns)
    return {"conversations": 1, "turns": turns, "completions": 2}


async def all_at_once():
    # A client waits for half a second or more between two tries.
    runs = [
        asyncio.to_thread(asyncio.run, with_client(functools.partial(lost, cut, tries), kind, max_retries=2))
        for cut in CUTS
        for tries in ("1", "2")
        for kind in (OpenAI, AsyncOpenAI)
    ]
    counted = await asyncio.gather(*runs)
    print(json.dumps({name: sum(one[name] for one in counted) for name in counted[0]}))


asyncio.run(all_at_once())
