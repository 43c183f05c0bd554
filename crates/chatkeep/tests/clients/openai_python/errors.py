"""Every error is of the class that its status stands for; what is not worth a retry is not tried again."""

import openai
from script import MODEL, each, equal, got, refused, run, strict


async def scenario(client):
    await strangers(client)
    await of_the_provider(client)
    await busy(client)
    for wrong in ({"n": 2}, {"temperature": 7}, {"messages": []}):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "tokens=1"}]} | wrong
        (param,) = wrong
        await refused(openai.BadRequestError, lambda: client.chat.completions.create(**body), param=param)
    image = [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}]
    await refused(openai.BadRequestError, lambda: client.responses.create(model=MODEL, input=image))
    search = [{"type": "web_search"}]
    await refused(openai.BadRequestError, lambda: client.responses.create(model=MODEL, input="x", tools=search))
    await refused(
        openai.NotFoundError,
        lambda: client.responses.create(model="nobody", input="x"),
        code="model_not_found",
        param="model",
    )
    return {"scenarios": 1}


async def strangers(client):
    stranger = client.with_options(api_key="nobody")
    calls = (
        lambda: stranger.models.retrieve(MODEL),
        lambda: stranger.conversations.create(),
        lambda: stranger.responses.create(model=MODEL, input="x"),
        lambda: stranger.responses.create(model=MODEL, input="x", stream=True),
        lambda: stranger.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}]),
    )
    for call in calls:
        await refused(openai.AuthenticationError, call, code="invalid_api_key", type="authentication_error")


async def of_the_provider(client):
    """What a model's provider refuses, of a kept answer and of one that is not."""
    kinds = (
        (429, "some_code", openai.RateLimitError),
        (500, "some_code", openai.InternalServerError),
        (401, "some_code", openai.InternalServerError),
        (400, "context_length_exceeded", openai.BadRequestError),
    )
    for status, code, kind in kinds:
        for store in (True, False):
            prompt = f"status={status} code={code} {store}"
            error = await refused(
                kind, lambda: client.responses.create(model=MODEL, input=prompt, store=store)
            )
            assert "words-of-the-provider" not in str(error), error
            if store and kind is not openai.BadRequestError:
                # A retry would only meet the same reply.
                equal(error.response.headers["x-should-retry"], "false")
            messages = [{"role": "user", "content": prompt}]
            await refused(
                kind, lambda: client.chat.completions.create(model=MODEL, messages=messages, store=store)
            )


async def busy(client):
    conversation = await strict(client.conversations.create())
    running = await strict(
        client.responses.create(
            model=MODEL, input="stall_after=1", conversation=conversation.id, background=True
        )
    )
    error = await refused(
        openai.BadRequestError,
        lambda: client.responses.create(
            model=MODEL, input="x", conversation=conversation.id, extra_body={"when_busy": "reject"}
        ),
        code="conversation_locked",
        param="conversation",
    )
    equal(error.type, "invalid_request_error")
    await got(client.responses.cancel(running.id))
    items = client.conversations.items.list(conversation.id)
    equal([item.role async for item in each(items)][-1:], ["user"])


run(scenario)
