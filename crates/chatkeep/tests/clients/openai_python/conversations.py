"""Models, conversations, their items, and our list of conversations."""

import openai
from openai.pagination import AsyncConversationCursorPage, SyncConversationCursorPage
from openai.types.conversations import Conversation
from script import MODEL, each, equal, got, refused, run, strict, strictly


async def scenario(client):
    await models(client)
    await one(client)
    items = await many_items(client)
    listed = await list_of_conversations(client)
    return {"items": items, "listed": listed}


async def models(client):
    names = [strictly(model).id async for model in each(client.models.list())]
    assert MODEL in names, names
    equal((await strict(client.models.retrieve(MODEL))).id, MODEL)
    await refused(
        openai.NotFoundError,
        lambda: client.models.retrieve("nobody"),
        code="model_not_found",
        param="model",
    )


async def one(client):
    made = await strict(client.conversations.create(metadata={"topic": "demo"}))
    equal(made.metadata, {"topic": "demo"})
    equal(await strict(client.conversations.retrieve(made.id)), made)
    changed = await strict(client.conversations.update(made.id, metadata={"title": "Plans", "a": "b"}))
    equal(changed.metadata, {"title": "Plans", "a": "b"})
    equal(changed.title, "Plans")
    again = await strict(client.conversations.retrieve(made.id))
    equal((again.title, again.metadata), (changed.title, changed.metadata))
    titled = await strict(client.conversations.update(made.id, metadata={}, extra_body={"title": "Ours"}))
    equal((titled.title, titled.metadata), ("Ours", {}))
    deleted = await strict(client.conversations.delete(made.id))
    equal((deleted.id, deleted.deleted), (made.id, True))
    for call in (client.conversations.retrieve, client.conversations.delete):
        await refused(openai.NotFoundError, lambda: call(made.id), type="invalid_request_error")
    pairs = {f"key {number}": "value" for number in range(17)}
    await refused(openai.BadRequestError, lambda: client.conversations.create(metadata=pairs), param="metadata")


async def many_items(client):
    first = [{"type": "message", "role": "user", "content": "Which city?"}]
    made = await strict(client.conversations.create(items=first))
    more = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"role": "user", "content": "And the weather?"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "A moment.", "annotations": []}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'},
        {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": '{"city":"Bari"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "Sunny"},
        {"type": "function_call_output", "call_id": "call_2", "output": "Rain"},
    ]
    added = await strict(client.conversations.items.create(made.id, items=more))
    equal(
        [item.type for item in added.data],
        ["message"] * 3 + ["function_call"] * 2 + ["function_call_output"] * 2,
    )
    equal((added.first_id, added.last_id, added.has_more), (added.data[0].id, added.data[-1].id, False))
    turns = [{"role": "user", "content": f"turn {number}"} for number in range(20)]
    turns = (await strict(client.conversations.items.create(made.id, items=turns))).data
    await refused(
        openai.BadRequestError,
        lambda: client.conversations.items.create(made.id, items=[{"role": "user", "content": "x"}] * 21),
        param="items",
    )
    oldest = [item async for item in each(client.conversations.items.list(made.id, order="asc", limit=3))]
    newest = [item async for item in each(client.conversations.items.list(made.id, limit=7))]
    equal(oldest, newest[::-1])
    equal(oldest[1:], added.data + turns)
    equal(len({item.id for item in oldest}), 1 + 7 + 20)
    after = client.conversations.items.list(made.id, order="asc", after=oldest[9].id)
    equal([item async for item in each(after)], oldest[10:])
    page = await strict(client.conversations.items.list(made.id, limit=5))
    equal((len(page.data), page.has_more, page.last_id), (5, True, page.data[4].id))
    for item in oldest:
        equal(await strict(client.conversations.items.retrieve(item.id, conversation_id=made.id)), item)
    gone = oldest[2]
    equal((await strict(client.conversations.items.delete(gone.id, conversation_id=made.id))).id, made.id)
    await refused(
        openai.NotFoundError, lambda: client.conversations.items.retrieve(gone.id, conversation_id=made.id)
    )
    left = [item async for item in each(client.conversations.items.list(made.id, order="asc"))]
    equal(left, oldest[:2] + oldest[3:])
    return len(left)


async def list_of_conversations(client):
    made = [await strict(client.conversations.create()) for _ in range(7)]
    is_async = isinstance(client, openai.AsyncOpenAI)
    page = AsyncConversationCursorPage if is_async else SyncConversationCursorPage
    listed = client.get_api_list(
        "/conversations", model=Conversation, page=page[Conversation], options={"params": {"limit": 3}}
    )
    listed = [strictly(conversation) async for conversation in each(listed)]
    equal([conversation.id for conversation in listed[:7]], [conversation.id for conversation in made[::-1]])
    equal(len({conversation.id for conversation in listed}), len(listed))
    return len(listed)


run(scenario)
