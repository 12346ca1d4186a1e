/** A stream of members made of another, without a promise for each member. Knows nothing of what is done to them. */
import type { MemberStream, TarMember } from "./entry.ts";

/**
 * The members that `expand` makes of each, in order. Nothing is read ahead: the turn of a member of `source` ends when the one
 * behind what was made of it is asked for.
 */
export function expandMembers(source: MemberStream, expand: (member: TarMember) => readonly TarMember[]): MemberStream {
  const members = source[Symbol.asyncIterator]();
  let made: readonly TarMember[] = [];
  let given = 0;
  const take = (member: TarMember): void => {
    made = expand(member);
    given = 0;
  };
  const nextNow = (): TarMember | undefined => {
    while (given === made.length) {
      const member = source.nextNow?.();
      if (member === undefined) return undefined;
      take(member);
    }
    return made[given++];
  };
  const next = async (): Promise<IteratorResult<TarMember, undefined>> => {
    for (;;) {
      const ready = nextNow();
      if (ready !== undefined) return { done: false, value: ready };
      const { done, value } = await members.next();
      if (done === true) return { done, value: undefined };
      take(value);
    }
  };
  const end = async (): Promise<IteratorResult<TarMember, undefined>> => {
    await members.return?.();
    return { done: true, value: undefined };
  };
  return { nextNow, [Symbol.asyncIterator]: () => ({ next, return: end }) };
}
