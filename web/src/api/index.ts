/** What the page asks of the server: one function for each operation, named after it. */

import { request } from "./http";
import type {
  Account,
  Branches,
  Chat,
  ChatInFull,
  ChatStatus,
  Message,
  Model,
  NodeReport,
  Provider,
  Reply,
  Role,
  Token,
  Tried,
  UsageReport,
  User,
} from "./types";

export * from "./types";
export { ApiError } from "./http";

const v1 = "/api/v1";
const chatPath = (id: string) => `${v1}/chat/${id}`;

/** A path with those parameters that are given. */
function query(path: string, parameters: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return search.size ? `${path}?${search}` : path;
}

export const account = {
  setup: () => request<{ isNew: boolean; registration: "first" | "open" }>("GET", `${v1}/auth/setup`),
  me: () => request<User>("GET", `${v1}/auth/me`),
  register: (email: string, password: string, name?: string) =>
    request<{ user: User }>("POST", `${v1}/auth/register`, { email, password, name }),
  signIn: (email: string, password: string, name: string) =>
    request<{ user: User }>("POST", `${v1}/auth/login`, { email, password, name, cookie: true }),
  signOut: () => request<void>("POST", `${v1}/auth/logout`),
  rename: (name: string | null) => request<User>("PATCH", `${v1}/auth/me`, { name }),
  changePassword: (current: string, password: string) =>
    request<void>("POST", `${v1}/auth/password`, { current, password }),
  tokens: () => request<{ tokens: Token[] }>("GET", `${v1}/auth/tokens`),
  createToken: (name?: string, expiresAt?: string) =>
    request<Token & { token: string }>("POST", `${v1}/auth/tokens`, { name, expiresAt }),
  revokeToken: (id: string) => request<void>("DELETE", `${v1}/auth/tokens/${id}`),
};

export interface ChatFilter {
  status?: ChatStatus;
  /** A part of the title. */
  q?: string;
}

/** What is to be answered: see docs/streaming.md. */
export interface NewReply {
  prompt?: string;
  parentId?: string | null;
  model?: string;
  /** What happens if a reply of the chat runs. */
  whenBusy?: "queue" | "interrupt";
}

export const chats = {
  list: (filter: ChatFilter, cursor?: string | null, signal?: AbortSignal) =>
    request<{ chats: Chat[]; nextCursor: string | null }>(
      "GET",
      query(`${v1}/chat`, { limit: 100, cursor, ...filter }),
      undefined,
      { signal },
    ),
  create: () => request<ChatInFull>("POST", `${v1}/chat`, { type: "text" }),
  find: (id: string, signal?: AbortSignal) => request<ChatInFull>("GET", chatPath(id), undefined, { signal }),
  change: (
    id: string,
    change: {
      name?: string;
      systemMessage?: string;
      status?: ChatStatus;
      model?: string | null;
      /** A message that the active path is to lead through. */
      branch?: string;
    },
  ) => request<ChatInFull>("PATCH", chatPath(id), change),
  delete: (id: string, keepalive = false) => request<void>("DELETE", chatPath(id), undefined, { keepalive }),
  messages: (id: string, cursor?: string | null, limit = 50, signal?: AbortSignal) =>
    request<{ messages: Message[]; nextCursor: string | null }>(
      "GET",
      query(`${chatPath(id)}/messages`, { limit, cursor }),
      undefined,
      { signal },
    ),
  branches: (id: string, signal?: AbortSignal) =>
    request<{ branches: Branches[] }>("GET", `${chatPath(id)}/branches`, undefined, { signal }),
};

export const replies = {
  begin: (chatId: string, reply: NewReply) => request<Reply>("POST", `${chatPath(chatId)}/replies`, reply),
  open: (chatId: string, signal?: AbortSignal) =>
    request<{ replies: Reply[] }>("GET", `${chatPath(chatId)}/replies`, undefined, { signal }),
  find: (chatId: string, id: string) => request<Reply>("GET", `${chatPath(chatId)}/replies/${id}`),
  stop: (chatId: string, id: string) => request<Reply>("POST", `${chatPath(chatId)}/replies/${id}/stop`),
  eventsPath: (chatId: string, id: string) => `${chatPath(chatId)}/replies/${id}/events`,
};

export const feedPath = `${v1}/events`;

export const models = () => request<{ models: Model[] }>("GET", `${v1}/models`);

export const admin = {
  accounts: (cursor?: string | null) =>
    request<{ accounts: Account[]; nextCursor: string | null }>(
      "GET",
      query(`${v1}/admin/accounts`, { limit: 100, cursor }),
    ),
  createAccount: (account: { email: string; password: string; name?: string; role: Role }) =>
    request<Account>("POST", `${v1}/admin/accounts`, account),
  changeAccount: (id: string, change: { role?: Role; disabled?: boolean }) =>
    request<Account>("PATCH", `${v1}/admin/accounts/${id}`, change),
  providers: () => request<{ providers: Provider[] }>("GET", `${v1}/admin/providers`),
  testModel: (model: string) => request<Tried>("POST", `${v1}/admin/providers/test`, { model }),
  usage: (from: string) => request<UsageReport>("GET", query(`${v1}/admin/usage`, { from })),
  nodes: () => request<NodeReport>("GET", `${v1}/admin/nodes`),
};
