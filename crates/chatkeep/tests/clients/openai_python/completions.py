"""Chat completions: whole, streamed, with tools, parsed, and kept as a session."""

import json

from pydantic import BaseModel
from script import MODEL, TOOL, each, entered, equal, got, run, said, strict, strictly

TOOL = {"type": "function", "function": {key: TOOL[key] for key in TOOL if key != "type"}}
CALLING = "tokens=1 calls=1"


class Answer(BaseModel):
    answer: int


def user(text):
    return {"role": "user", "content": text}


async def scenario(client):
    completions = client.chat.completions
    answer = await strict(
        completions.create(
            model=MODEL, messages=[{"role": "system", "content": "Be brief."}, user("tokens=3 one")]
        )
    )
    said(answer.choices[0].message.content, 3)
    equal((answer.choices[0].finish_reason, answer.usage.completion_tokens), ("stop", 3))
    cut = await strict(completions.create(model=MODEL, messages=[user("tokens=3 finish=length")]))
    equal(cut.choices[0].finish_reason, "length")

    streamed = completions.create(
        model=MODEL, messages=[user("tokens=4 two")], stream=True, stream_options={"include_usage": True}
    )
    chunks = [strictly(chunk) async for chunk in each(streamed)]
    said("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), 4)
    equal(chunks[0].choices[0].delta.role, "assistant")
    equal((chunks[-1].choices, chunks[-1].usage.completion_tokens), ([], 4))
    equal(len({chunk.id for chunk in chunks}), 1)
    streamed = completions.create(model=MODEL, messages=[user("tokens=4 three")], stream=True)
    chunks = [strictly(chunk) async for chunk in each(streamed)]
    equal([chunk.usage for chunk in chunks], [None] * len(chunks))

    async with entered(completions.stream(model=MODEL, messages=[user("tokens=5 reasoning=2")])) as stream:
        kinds = [event.type async for event in each(stream)]
        final = await strict(stream.get_final_completion())
    assert "content.done" in kinds, kinds
    said(final.choices[0].message.content, 5)

    await tools(completions)
    parsed = await got(
        completions.parse(model=MODEL, messages=[user('say={"answer":42}')], response_format=Answer)
    )
    equal(parsed.choices[0].message.parsed, Answer(answer=42))

    kept = await strict(
        completions.create(
            model=MODEL,
            messages=[user("hello"), {"role": "assistant", "content": "Hi."}, user("tokens=6 kept")],
            store=True,
            metadata={"from": "python"},
        )
    )
    said(kept.choices[0].message.content, 6)
    streamed = completions.create(model=MODEL, messages=[user("tokens=7 kept")], store=True, stream=True)
    chunks = [strictly(chunk) async for chunk in each(streamed)]
    said("".join(chunk.choices[0].delta.content or "" for chunk in chunks), 7)
    return {"calls": 11, "kept": 2}


async def tools(completions):
    """A call, its output, and the answer: whole, and streamed by the helper."""
    messages = [user(CALLING)]
    asked = await strict(completions.create(model=MODEL, messages=messages, tools=[TOOL]))
    choice = asked.choices[0]
    equal((choice.finish_reason, len(choice.message.tool_calls)), ("tool_calls", 1))
    call = choice.message.tool_calls[0]
    equal(call.function.name, "weather")
    json.loads(call.function.arguments)
    messages += [
        choice.message.to_dict(),
        {"role": "tool", "tool_call_id": call.id, "content": "tokens=2 sunny"},
    ]
    answer = await strict(completions.create(model=MODEL, messages=messages, tools=[TOOL]))
    said(answer.choices[0].message.content, 2)
    async with entered(completions.stream(model=MODEL, messages=[user(CALLING)], tools=[TOOL])) as stream:
        done = [event async for event in each(stream) if event.type == "tool_calls.function.arguments.done"]
        final = await got(stream.get_final_completion())
    equal(done[0].arguments, call.function.arguments)
    equal(final.choices[0].message.tool_calls[0].function.name, "weather")


run(scenario)
