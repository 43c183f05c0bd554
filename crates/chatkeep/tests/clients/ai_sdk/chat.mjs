// The AI SDK's chat as a React page has it, without the page: `node chat.mjs ai5`, and so for each version.
//
// `useChat` is a class of the SDK around a state that React renders; here it is around one in memory.

import assert from 'node:assert/strict';

const version = process.argv[2];
const sdk = await import(version);
const API = `${process.env.BASE_URL}/ai/chat`;
const headers = { Authorization: `Bearer ${process.env.KEY}` };
const equal = assert.deepStrictEqual;
const tools = [
  {
    type: 'function',
    name: 'weather',
    description: 'The weather of a place.',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
];

class State {
  status = 'ready';
  error = undefined;

  constructor(messages) {
    this.messages = messages;
  }

  pushMessage(message) {
    this.messages = this.messages.concat(message);
    this.written?.();
  }

  popMessage() {
    this.messages = this.messages.slice(0, -1);
  }

  replaceMessage(index, message) {
    this.messages = this.messages.with(index, this.snapshot(message));
    this.written?.();
  }

  snapshot(thing) {
    return structuredClone(thing);
  }
}

class Chat extends sdk.AbstractChat {
  constructor(id, messages = [], init = {}) {
    const transport = new sdk.DefaultChatTransport({ api: API, headers, body: { tools } });
    super({ id, transport, state: new State(messages), ...init });
  }

  /** Waits until this is true of what the answer says so far. */
  async until(is) {
    while (!is(this.answer())) {
      assert.equal(this.status === 'error', false, String(this.error));
      await new Promise((resolve) => (this.state.written = resolve));
    }
  }

  answer() {
    const last = this.messages.at(-1);
    return last?.role === 'assistant' ? text(last) : '';
  }

  /** That it has ended well; gives its last message. */
  done() {
    equal(this.error, undefined);
    equal(this.status, 'ready');
    return this.messages.at(-1);
  }
}

let chats = 0;
const newId = () => `${version}-${(chats += 1)}`;

const text = (message) => message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');

const kinds = (message) => message.parts.map((part) => part.type);

/** That a text is what one call of the provider says with so many tokens. */
function said(text, tokens) {
  const number = text.split('.')[0];
  equal(text, Array.from({ length: tokens }, (_, token) => `${number}.${token} `).join(''));
}

/** What the server has of a chat, which must be messages that the SDK can read. */
async function history(id) {
  const answer = await fetch(`${API}/${id}/messages`, { headers });
  equal(answer.status, 200);
  const messages = await answer.json();
  if (sdk.validateUIMessages && messages.length > 0) await sdk.validateUIMessages({ messages });
  equal((await sdk.convertToModelMessages(messages)).length >= messages.length, true);
  return messages;
}

/** That the server has the same messages as the client: the same parts, and the same names for replies. */
async function sameAsServer(chat) {
  const messages = await history(chat.id);
  equal(messages.map(shape), JSON.parse(JSON.stringify(chat.messages)).map(shape));
}

const shape = ({ id, role, parts }) => ({
  // A client names its user's messages itself.
  id: role === 'assistant' ? id : undefined,
  role,
  // That a text is done, and some versions what a thought was called in the stream, only a client notes.
  parts: parts.map(({ state, id, ...part }) => (part.toolCallId ? { state, ...part } : part)),
});

async function sends() {
  const chat = new Chat(newId());
  await chat.sendMessage({ text: 'tokens=5 reasoning=2' });
  said(text(chat.done()), 5);
  equal(kinds(chat.messages[1]), ['step-start', 'reasoning', 'text']);
  await chat.sendMessage({ text: 'tokens=3 second' });
  said(text(chat.done()), 3);
  equal(chat.messages.length, 4);
  await sameAsServer(chat);
  // Another page goes on with what the server has.
  const other = new Chat(chat.id, await history(chat.id));
  await other.sendMessage({ text: 'tokens=4 third' });
  said(text(other.done()), 4);
  await sameAsServer(other);
  return 3;
}

async function isCutAndResumes() {
  const fresh = new Chat(newId());
  await fresh.resumeStream();
  equal([fresh.error, fresh.messages], [undefined, []]);

  const chat = new Chat(newId());
  const sent = chat.sendMessage({ text: 'tokens=6 reasoning=1 stall_after=3' });
  await chat.until((said) => said.length > 0);
  // The page is left: to the client that is its stop, the server goes on.
  await chat.stop();
  await sent;
  const page = new Chat(chat.id, await history(chat.id));
  equal(page.messages.map(({ role }) => role), ['user']);
  const resumed = page.resumeStream();
  await page.until((said) => said.length > 0);
  console.log('release');
  await resumed;
  said(text(page.done()), 6);
  equal(kinds(page.messages[1]), ['step-start', 'reasoning', 'text']);
  await sameAsServer(page);
  await page.resumeStream();
  equal(page.messages.length, 2);
  return 1;
}

async function isStopped() {
  const chat = new Chat(newId());
  const sent = chat.sendMessage({ text: 'tokens=6 stall_after=3' });
  await chat.until((said) => said.length > 0);
  const stopped = await fetch(`${API}/${chat.id}/stop`, { method: 'POST', headers });
  equal(stopped.status, 204);
  await sent;
  equal([chat.status, chat.error], ['ready', undefined]);
  await sameAsServer(chat);
  await chat.sendMessage({ text: 'tokens=2 on' });
  said(text(chat.done()), 2);
  await sameAsServer(chat);
  return 2;
}

async function answersAnew() {
  const chat = new Chat(newId());
  await chat.sendMessage({ text: 'tokens=2 one' });
  await chat.sendMessage({ text: 'tokens=3 two' });
  const before = chat.messages;
  await chat.regenerate();
  said(text(chat.done()), 3);
  equal(chat.messages.length, 4);
  assert.notEqual(chat.messages[3].id, before[3].id);
  await sameAsServer(chat);
  await chat.regenerate({ messageId: chat.messages[1].id });
  said(text(chat.done()), 2);
  equal(chat.messages.length, 2);
  await sameAsServer(chat);
  return 4;
}

async function isEdited() {
  const chat = new Chat(newId());
  await chat.sendMessage({ text: 'tokens=2 one' });
  await chat.sendMessage({ text: 'tokens=3 two' });
  await chat.sendMessage({ text: 'tokens=4 edited', messageId: chat.messages[2].id });
  said(text(chat.done()), 4);
  equal(chat.messages.length, 4);
  await sameAsServer(chat);
  // A page that was loaded has the server's names for the user's messages too.
  const page = new Chat(chat.id, await history(chat.id));
  await page.sendMessage({ text: 'tokens=5 first', messageId: page.messages[0].id });
  said(text(page.done()), 5);
  equal(page.messages.length, 2);
  await sameAsServer(page);
  return 4;
}

/** A chat that answers calls by itself, and goes on once all of them have an output. */
function withTools(id, output, messages) {
  const chat = new Chat(id, messages, {
    sendAutomaticallyWhen: sdk.lastAssistantMessageIsCompleteWithToolCalls,
    // Waiting for it here would wait for itself.
    onToolCall: ({ toolCall: { toolName: tool, toolCallId } }) => {
      (chat.addToolOutput ?? chat.addToolResult)({ tool, toolCallId, output });
    },
  });
  return chat;
}

async function callsTools() {
  const chat = withTools(newId(), 'tokens=4 sunny');
  await chat.sendMessage({ text: 'tokens=1 reasoning=1 calls=1' });
  const message = chat.done();
  const step = ['step-start', 'reasoning', 'text', 'tool-weather'];
  equal(kinds(message), [...step, 'step-start', 'text']);
  const call = message.parts[3];
  equal([call.state, call.output], ['output-available', 'tokens=4 sunny']);
  said(message.parts[5].text, 4);
  await sameAsServer(chat);

  // An output that is no text.
  const other = withTools(newId(), { degrees: 21 });
  await other.sendMessage({ text: 'tokens=1 calls=1' });
  equal(kinds(other.done()), ['step-start', 'text', 'tool-weather', 'step-start', 'text']);
  equal((await history(other.id)).length, 2);

  // Left in the second step: a page that comes back sees both steps, each once.
  const left = withTools(newId(), 'tokens=5 stall_after=2');
  const sent = left.sendMessage({ text: 'tokens=1 reasoning=1 calls=1 left' });
  await left.until((said) => said.split(' ').length > 2);
  await left.stop();
  await sent;
  const page = withTools(left.id, 'never', await history(left.id));
  equal(page.messages.map(({ role }) => role), ['user']);
  const resumed = page.resumeStream();
  await page.until((said) => said.split(' ').length > 2);
  console.log('release');
  await resumed;
  equal(kinds(page.done()), [...step, 'step-start', 'text']);
  said(page.done().parts[5].text, 5);
  await sameAsServer(page);
  return 6;
}

async function fails() {
  const chat = new Chat(newId());
  await chat.sendMessage({ text: 'tokens=2 status=500' });
  equal(chat.status, 'error');
  equal(chat.error.message.includes('words-of-the-provider'), false);
  await chat.regenerate();
  equal(chat.status, 'error');
  const transport = new sdk.DefaultChatTransport({ api: API, headers: { Authorization: 'Bearer nobody' } });
  const stranger = new Chat(newId(), [], { transport });
  await stranger.sendMessage({ text: 'tokens=2' });
  equal(stranger.status, 'error');
  assert.match(stranger.error.message, /token/);
}

let calls = 0;
for (const part of [sends, isCutAndResumes, isStopped, answersAnew, isEdited, callsTools]) calls += await part();
await fails();
console.log(JSON.stringify({ calls, chats }));
