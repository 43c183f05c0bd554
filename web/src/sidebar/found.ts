/** A title cut where a search found something: what was found stands at the odd places. */
export function partsOf(title: string, q: string | undefined): string[] {
  if (!q) return [title];
  const literally = q.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return title.split(new RegExp(`(${literally})`, "iu"));
}
