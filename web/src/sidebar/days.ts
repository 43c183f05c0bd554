/** Chats by the day of their last change, as the reader's clock has it. */

import type { Chat } from "../api";
import { text } from "../text";

/** Neighbours in the list that stand under one heading. */
export interface Span {
  label: string;
  /** The place of the first one in the list. */
  from: number;
  count: number;
}

/** Spans of chats that are in order, the newest first. */
export function spansOf(chats: Chat[], now: Date): Span[] {
  const daysAgo = (days: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - days);
  const near: [string, Date][] = [
    [text.side.today, daysAgo(0)],
    [text.side.yesterday, daysAgo(1)],
    [text.side.week, daysAgo(7)],
    [text.side.month, daysAgo(30)],
  ];
  const spans: Span[] = [];
  let from = 0;
  while (from < chats.length) {
    const time = new Date(chats[from]!.updatedAt);
    const [label, begin] = near.find(([, begin]) => time >= begin) ?? [
      text.side.monthOf(time, time.getFullYear() === now.getFullYear()),
      new Date(time.getFullYear(), time.getMonth()),
    ];
    const end = firstBefore(chats, begin.toISOString(), from);
    spans.push({ label, from, count: end - from });
    from = end;
  }
  return spans;
}

/** The place of the first chat that changed before that time. */
function firstBefore(chats: Chat[], time: string, from: number): number {
  let to = chats.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (chats[middle]!.updatedAt >= time) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The row that a chat is in: headings are rows as well. */
export function rowOf(at: number, spans: Span[]): number {
  return at + spans.filter(({ from }) => from <= at).length;
}

interface Rows {
  items: Chat[];
  spans: Span[];
}

/** By how many rows those between the first and the last one moved, going by one that has not changed itself. */
export function movedBy(before: Rows, after: Rows, first: number, last: number): number {
  for (let at = Math.max(0, first - before.spans.length); at < before.items.length; at++) {
    const row = rowOf(at, before.spans);
    if (row < first) continue;
    if (row > last) break;
    const { id, updatedAt } = before.items[at]!;
    const now = after.items.findIndex((chat) => chat.id === id && chat.updatedAt === updatedAt);
    if (now >= 0) return rowOf(now, after.spans) - row;
  }
  return 0;
}
