"""Responses: made, streamed, resumed, cancelled, deleted; with tools; parsed."""

import asyncio
import json

import openai
from openai.types.responses import Response
from pydantic import BaseModel
from script import MODEL, TOOL, contiguous, each, entered, equal, got, refused, run, said, strict, strictly

CALLING = "tokens=1 reasoning=2 calls=1"


class Answer(BaseModel):
    answer: int


async def scenario(client):
    calls = 0
    for part in (turns, fields, unkept, background, tools, streams, parsed, deleted):
        calls += await part(client)
    return {"calls": calls}


async def turns(client):
    """By the conversation, and by the response before."""
    first = await strict(client.responses.create(model=MODEL, input="tokens=3 one"))
    said(first.output_text, 3)
    equal((first.status, first.error, first.incomplete_details), ("completed", None, None))
    equal(first.usage.total_tokens, first.usage.input_tokens + first.usage.output_tokens)
    equal(await strict(client.responses.retrieve(first.id)), first)
    second = await strict(
        client.responses.create(model=MODEL, input="tokens=4 two", previous_response_id=first.id)
    )
    said(second.output_text, 4)
    equal(second.previous_response_id, first.id)
    equal(second.conversation.id, first.conversation.id)
    # Beside the second one: a branch.
    other = await strict(
        client.responses.create(model=MODEL, input="tokens=5 three", previous_response_id=first.id)
    )
    items = client.conversations.items.list(other.conversation.id, order="asc")
    texts = [item.content[0].text async for item in each(items)]
    equal(texts, ["tokens=3 one", first.output_text, "tokens=5 three", other.output_text])
    conversation = await strict(client.conversations.create())
    for given in (conversation.id, {"id": conversation.id}):
        answer = await strict(client.responses.create(model=MODEL, input="tokens=2 on", conversation=given))
        equal(answer.conversation.id, conversation.id)
    items = [strictly(item) async for item in each(client.conversations.items.list(conversation.id))]
    equal([item.role for item in items], ["assistant", "user"] * 2)
    equal([item.id for item in answer.output], [items[0].id])
    await refused(
        openai.BadRequestError,
        lambda: client.responses.create(model=MODEL, input="tokens=1", previous_response_id="resp_nothing"),
        code="previous_response_not_found",
        param="previous_response_id",
    )
    await refused(
        openai.NotFoundError,
        lambda: client.responses.create(model=MODEL, input="tokens=1", conversation="conv_nothing"),
    )
    await refused(
        openai.BadRequestError,
        lambda: client.responses.create(
            model=MODEL, input="tokens=1", conversation=conversation.id, previous_response_id=first.id
        ),
    )
    return 5


async def fields(client):
    answer = await strict(
        client.responses.create(
            model=MODEL,
            input=[
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "input_text", "text": "tokens=2 fields"}]},
            ],
            instructions="Speak plainly.",
            metadata={"purpose": "test"},
            temperature=0.5,
            top_p=0.25,
            max_output_tokens=100,
        )
    )
    equal((answer.instructions, answer.metadata), ("Speak plainly.", {"purpose": "test"}))
    equal((answer.temperature, answer.top_p, answer.max_output_tokens), (0.5, 0.25, 100))
    items = client.responses.input_items.list(answer.id, order="asc")
    items = [strictly(item) async for item in each(items)]
    equal([item.content[0].text for item in items], ["Be brief.", "tokens=2 fields"])
    longer = await strict(client.responses.create(model=MODEL, input="tokens=2 finish=length"))
    equal((longer.status, longer.incomplete_details.reason), ("incomplete", "max_output_tokens"))
    thoughtful = await strict(client.responses.create(model=MODEL, input="tokens=2 reasoning=3"))
    equal([item.type for item in thoughtful.output], ["reasoning", "message"])
    said(thoughtful.output_text, 2)
    return 3


async def unkept(client):
    before = await strict(client.responses.create(model=MODEL, input="tokens=1 kept"))
    answer = await strict(
        client.responses.create(
            model=MODEL, input="tokens=2 unkept", store=False, previous_response_id=before.id
        )
    )
    said(answer.output_text, 2)
    equal(answer.store, False)
    await refused(openai.NotFoundError, lambda: client.responses.retrieve(answer.id))
    items = client.conversations.items.list(before.conversation.id)
    equal(len([item async for item in each(items)]), 2)
    streamed = client.responses.create(model=MODEL, input="tokens=9 gone", store=False, stream=True)
    events = [event async for event in each(streamed)]
    said(contiguous(events)[-1].response.output_text, 9)
    return 3


async def background(client):
    begun = await strict(client.responses.create(model=MODEL, input="tokens=5 every_ms=5", background=True))
    assert begun.status in ("queued", "in_progress"), begun
    while (answer := await strict(client.responses.retrieve(begun.id))).status in ("queued", "in_progress"):
        # As a client does.
        await asyncio.sleep(0.02)
    equal(answer.status, "completed")
    said(answer.output_text, 5)
    begun = await strict(
        client.responses.create(model=MODEL, input="tokens=5 stall_after=2", background=True)
    )
    # Once something of it is there.
    async for event in each(client.responses.retrieve(begun.id, stream=True)):
        if strictly(event).type == "response.output_text.delta":
            break
    cancelled = await strict(client.responses.cancel(begun.id))
    equal(cancelled.status, "cancelled")
    equal((await strict(client.responses.retrieve(begun.id))).status, "cancelled")
    return 2


async def tools(client):
    conversation = await strict(client.conversations.create())
    asked = await strict(
        client.responses.create(model=MODEL, input=CALLING, tools=[TOOL], conversation=conversation.id)
    )
    calls = [item for item in asked.output if item.type == "function_call"]
    equal(len(calls), 1)
    equal((calls[0].name, asked.status), ("weather", "completed"))
    json.loads(calls[0].arguments)
    outputs = [{"type": "function_call_output", "call_id": calls[0].call_id, "output": "tokens=6 sunny"}]
    answer = await strict(
        client.responses.create(model=MODEL, input=outputs, tools=[TOOL], conversation=conversation.id)
    )
    said(answer.output_text, 6)
    # The same by the response before.
    again = await strict(client.responses.create(model=MODEL, input=CALLING, tools=[TOOL]))
    call = next(item for item in again.output if item.type == "function_call")
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "tokens=7 rain"}]
    answer = await strict(
        client.responses.create(model=MODEL, input=outputs, tools=[TOOL], previous_response_id=again.id)
    )
    said(answer.output_text, 7)
    items = client.conversations.items.list(conversation.id, order="asc")
    kinds = [strictly(item).type async for item in each(items)]
    equal(kinds, ["message", "reasoning", "message", "function_call", "function_call_output", "message"])
    await refused(
        openai.BadRequestError,
        lambda: client.responses.create(
            model=MODEL,
            input=[{"type": "function_call_output", "call_id": "nobody", "output": "x"}],
            conversation=conversation.id,
        ),
    )
    return 4


async def streams(client):
    events = [
        event
        async for event in each(
            client.responses.create(model=MODEL, input=CALLING + " every_ms=1", tools=[TOOL], stream=True)
        )
    ]
    contiguous(events)
    equal(events[0].type, "response.created")
    final = events[-1].response
    equal((events[-1].type, final.status), ("response.completed", "completed"))
    equal([item.type for item in final.output], ["reasoning", "message", "function_call"])
    for after in range(-1, len(events)):
        resumed = (
            client.responses.retrieve(final.id, stream=True)
            if after < 0
            else client.responses.retrieve(final.id, stream=True, starting_after=after)
        )
        equal([event async for event in each(resumed)], events[after + 1 :])
    async with entered(client.responses.stream(model=MODEL, input="tokens=8 reasoning=1")) as stream:
        deltas = [event.delta async for event in each(stream) if event.type == "response.output_text.delta"]
    final = await strict(response_of(stream))
    equal("".join(deltas), final.output_text)
    said(final.output_text, 8)
    async with entered(client.responses.stream(response_id=final.id, starting_after=3)) as stream:
        numbers = [event.sequence_number async for event in each(stream)]
    equal(numbers, list(range(4, 4 + len(numbers))))
    equal((await response_of(stream)).output_text, final.output_text)
    stored = await strict(client.responses.retrieve(final.id))
    equal((stored.id, stored.output, stored.usage), (final.id, stored.output, final.usage))
    return 2


async def response_of(stream):
    """The plain response of a helper's stream."""
    final = await got(stream.get_final_response())
    return Response.model_validate_json(final.to_json())


async def parsed(client):
    answer = await strict(
        client.responses.parse(model=MODEL, input='say={"answer":42}', text_format=Answer)
    )
    equal(answer.output_parsed, Answer(answer=42))
    body = {"model": MODEL, "input": 'say={"answer":43}', "text_format": Answer}
    async with entered(client.responses.stream(**body)) as stream:
        async for _ in each(stream):
            pass
        final = await got(stream.get_final_response())
    equal(final.output_parsed, Answer(answer=43))
    return 2


async def deleted(client):
    answer = await strict(client.responses.create(model=MODEL, input="tokens=1 deleted"))
    await got(client.responses.delete(answer.id))
    for call in (client.responses.retrieve, client.responses.cancel, client.responses.delete):
        await refused(openai.NotFoundError, lambda: call(answer.id))
    return 1


run(scenario)
