"""What every script here does: it runs a scenario with the client of each kind, and looks strictly at
what the client returns.

A scenario is written once: `got`, `each` and `entered` do for both clients what `await`, `async for` and
`async with` do for the asynchronous one.
"""

import asyncio
import inspect
import json
import os
from contextlib import asynccontextmanager

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

# What the scripted provider makes of a prompt is in tests/it/provider.rs.
MODEL = "scripted"

TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a place.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


def run(scenario):
    """Runs it with both clients; prints the figures that it counts."""
    figures = {}
    for kind in (OpenAI, AsyncOpenAI):
        counted = asyncio.run(with_client(scenario, kind))
        for name, count in counted.items():
            figures[name] = figures.get(name, 0) + count
    print(json.dumps(figures))


async def with_client(scenario, kind, max_retries=0):
    client = kind(
        base_url=os.environ["BASE_URL"] + "/v1",
        api_key=os.environ["KEY"],
        max_retries=max_retries,
    )
    try:
        return await scenario(client)
    finally:
        await got(client.close())


async def got(result):
    return await result if inspect.isawaitable(result) else result


async def each(items):
    """The elements of a stream, or of all pages of a list."""
    if not hasattr(items, "__aiter__"):
        items = await got(items)
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


@asynccontextmanager
async def entered(manager):
    if hasattr(manager, "__aenter__"):
        async with manager as inside:
            yield inside
    else:
        with manager as inside:
            yield inside


async def strict(result):
    """What a call returns, which must be what its class declares: the SDK itself does not look."""
    return strictly(await got(result))


def strictly(model):
    assert isinstance(model, BaseModel), model
    type(model).model_validate_json(model.to_json(), strict=True)
    return model


async def refused(kind, call, **expected):
    """A call that must fail with exactly this class, and with these attributes."""
    try:
        done = await got(call())
    except Exception as error:
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        for name, value in expected.items():
            assert getattr(error, name) == value, (name, getattr(error, name), value)
        assert error.request_id, error
        return error
    raise AssertionError(f"no {kind.__name__}: {done}")


def equal(one, other):
    assert one == other, f"\n{one!r}\n{other!r}"


def said(text, tokens):
    """That a text is what one call of the provider says with so many tokens; gives the call's number."""
    number = text.split(".")[0]
    equal(text, "".join(f"{number}.{token} " for token in range(tokens)))
    return int(number[1:])


def contiguous(events):
    """That the events of a response are numbered from 0 without a gap, and are what they declare."""
    equal([event.sequence_number for event in events], list(range(len(events))))
    for event in events:
        strictly(event)
    return events
