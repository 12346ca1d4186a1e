/** A stream of members made of another, without a promise for each member. Knows nothing of what is done to them. */
import type { MemberStream, TarMember } from "./entry.ts";

/**
 * The members that `expand` makes of each, in order. Nothing is read ahead: the turn of a member of `source` ends when the one
 * behind what was made of it is asked for.
 */
export function expandMembers(
  source: MemberStream,
  expand: (member: TarMember) => TarMember | readonly TarMember[],
): MemberStream {
  const members = source[Symbol.asyncIterator]();
  /** What is left of what one member became. */
  let made: readonly TarMember[] = [];
  let given = 0;
  /** The first of what `member` becomes; undefined when that is nothing. */
  const firstOf = (member: TarMember): TarMember | undefined => {
    const expanded = expand(member);
    if (!isList(expanded)) return expanded;
    made = expanded;
    given = 0;
    return made[given++];
  };
  const nextNow = (): TarMember | undefined => {
    if (given < made.length) return made[given++];
    for (;;) {
      const member = source.nextNow?.();
      if (member === undefined) return undefined;
      const first = firstOf(member);
      if (first !== undefined) return first;
    }
  };
  const next = async (): Promise<IteratorResult<TarMember, undefined>> => {
    for (;;) {
      const ready = nextNow();
      if (ready !== undefined) return { done: false, value: ready };
      const { done, value } = await members.next();
      if (done === true) return { done, value: undefined };
      const first = firstOf(value);
      if (first !== undefined) return { done: false, value: first };
    }
  };
  const end = async (): Promise<IteratorResult<TarMember, undefined>> => {
    await members.return?.();
    return { done: true, value: undefined };
  };
  return { nextNow, [Symbol.asyncIterator]: () => ({ next, return: end }) };
}

function isList(expanded: TarMember | readonly TarMember[]): expanded is readonly TarMember[] {
  return Array.isArray(expanded);
}
