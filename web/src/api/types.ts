/** What the server sends, as `/openapi.json` describes it. Times are RFC 3339 texts. */

export type Role = "admin" | "user";

export interface User {
  id: string;
  email: string;
  name: string | null;
  role: Role;
  createdAt: string;
}

export interface Token {
  id: string;
  kind: "personal" | "sign-in";
  name: string | null;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  /** Whether this page is signed in by it. */
  isCurrent: boolean;
}

export type ChatStatus = "active" | "deactivated";

export interface Chat {
  id: string;
  chatName: string;
  systemMessage: string;
  createdAt: string;
  updatedAt: string;
  status: ChatStatus;
}

/** A chat by itself has more than one in a list. */
export interface ChatInFull extends Chat {
  /** The last message of the active path. */
  head: string | null;
  model: string | null;
}

export type Progress = "queued" | "running" | "done" | "stopped" | "failed";

export interface Usage {
  inputTokens: number;
  outputTokens: number;
}

export type Part =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  | { type: "tool_call"; id: string; name: string; arguments: string }
  | { type: "tool_output"; callId: string; output: string }
  | { type: "removed" };

export interface Message {
  id: string;
  chatId: string;
  parentId: string | null;
  role: "system" | "user" | "assistant" | "tool";
  /** Empty while a model is writing. */
  content: Part[];
  model: string | null;
  usage: Usage | null;
  status: Progress;
  replyId: string | null;
  finishReason: string | null;
  createdAt: string;
}

export interface ReplyError {
  kind: string;
  message: string;
  retryAfter: number | null;
}

export interface Reply {
  id: string;
  chatId: string;
  promptMessageId: string;
  messageId: string;
  status: Progress;
  attempt: number;
  model: string;
  usage: Usage | null;
  leftOut: number;
  error: ReplyError | null;
  createdAt: string;
  finishedAt: string | null;
}

/** Messages that all follow the same one, or begin the chat. */
export interface Branches {
  parentId: string | null;
  messageIds: string[];
}

export interface Model {
  id: string;
  provider: string;
  label: string | null;
  contextWindow: number;
  maxOutputTokens: number | null;
  isDefault: boolean;
  isDemo: boolean;
}

export interface Account extends User {
  disabledAt: string | null;
}

export interface Provider {
  name: string;
  kind: string;
  url: string | null;
  models: { id: string; contextWindow: number; maxOutputTokens: number | null; isDefault: boolean }[];
}

export interface Tried {
  ok: boolean;
  ms: number;
  text?: string;
  error?: { kind: string; message: string };
}

export interface UsageSum {
  answers: number;
  inputTokens: number;
  outputTokens: number;
}

export interface UsageReport {
  days: string[];
  accounts: {
    id: string;
    email: string;
    name: string | null;
    total: UsageSum;
    days: (UsageSum & { day: string })[];
  }[];
}

export interface NodeReport {
  nodes: {
    name: string;
    version: string;
    startedAt: string;
    silentSeconds: number;
    isAlive: boolean;
    replies: number;
    isDraining: boolean;
  }[];
  health: {
    database: "sqlite" | "postgresql";
    databaseOk: boolean;
    writesWaiting: number;
    repliesRunning: number;
    watchers: number;
    hearsOthers: boolean;
  };
}
