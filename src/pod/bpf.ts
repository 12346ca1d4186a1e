/** Classic BPF for seccomp: a policy over numbers of system calls becomes a filter program. Knows no names and no policy. */
import { Failure } from "../base/failure.ts";
import type { SeccompAction, SeccompChoice } from "./seccomp.ts";

/** `action` holds from number `from` to the next span; the first begins at 0. */
export interface Span {
  readonly from: number;
  readonly action: SeccompAction | SeccompChoice;
}

/** The filter of one ABI, chosen by its AUDIT_ARCH number. Any other architecture is killed. */
export interface Section {
  readonly auditArch: number;
  readonly spans: readonly Span[];
}

// The instructions used, as in linux/bpf_common.h.
const loadWord = 0x20;
const and = 0x54;
const jumpAlways = 0x05;
const jumpEqual = 0x15;
const jumpAtLeast = 0x35;
const returnConstant = 0x06;

// struct seccomp_data
const numberOffset = 0;
const archOffset = 4;
const argumentsOffset = 16;

const retKillProcess = 0x80000000;
const retErrno = 0x00050000;
const retAllow = 0x7fff0000;

/** What the kernel takes (BPF_MAXINSNS). */
const instructionLimit = 4096;

/**
 * A program that grows from its end to its beginning: all jumps go forward, so how far each must reach is known when it is written.
 * Two words an instruction, the second first.
 */
type Reversed = number[];

function prepend(program: Reversed, code: number, k: number, jumpTrue = 0, jumpFalse = 0): void {
  program.push(k, code | (jumpTrue << 16) | (jumpFalse << 24));
}

const lengthOf = (program: Reversed): number => program.length / 2;

/** struct sock_filter array in host byte order (little endian on both). @throws Failure LIMIT_EXCEEDED */
export function assemble(sections: readonly Section[]): Uint8Array {
  const program: Reversed = [];
  prepend(program, returnConstant, retKillProcess);
  for (const { auditArch, spans } of sections.toReversed()) {
    const after = lengthOf(program);
    search(program, spans, 0, spans.length);
    prepend(program, loadWord, numberOffset);
    prepend(program, jumpAlways, lengthOf(program) - after);
    prepend(program, jumpEqual, auditArch, 1, 0);
  }
  prepend(program, loadWord, archOffset);
  if (lengthOf(program) > instructionLimit) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `the system call filter has ${lengthOf(program)} instructions, more than 4096`,
      {
        hint: "name fewer system calls, or a wildcard such as @rkt/default-whitelist",
      },
    );
  }
  return new Uint8Array(Uint32Array.from(program.reverse()).buffer);
}

/** A binary search over spans[first, end): about seven comparisons for a usual policy. */
function search(program: Reversed, spans: readonly Span[], first: number, end: number): void {
  if (end - first < 2) {
    decide(program, spans[first]?.action ?? "kill");
    return;
  }
  const middle = first + ((end - first) >> 1);
  search(program, spans, middle, end);
  const above = lengthOf(program);
  search(program, spans, first, middle);
  const below = lengthOf(program) - above;
  const start = spans[middle]?.from ?? 0;
  if (below <= 255) {
    prepend(program, jumpAtLeast, start, below, 0);
    return;
  }
  // Conditional jumps reach 255 instructions; a longer left half is jumped over by an unconditional one.
  prepend(program, jumpAlways, below);
  prepend(program, jumpAtLeast, start, 0, 1);
}

function decide(program: Reversed, action: SeccompAction | SeccompChoice): void {
  if (typeof action === "string" || "errno" in action) {
    prepend(program, returnConstant, verdict(action));
    return;
  }
  prepend(program, returnConstant, verdict(action.otherwise));
  for (const { when, action: then } of action.rules.toReversed()) {
    const next = lengthOf(program);
    prepend(program, returnConstant, verdict(then));
    for (const { argument, mask, equals } of when.toReversed()) {
      prepend(program, jumpEqual, equals, 0, lengthOf(program) - next);
      if (mask !== wholeWord) prepend(program, and, mask);
      // The low half alone: the kernel drops the high half of an int, so a filter that looked at it could be fooled (CVE-2019-10063).
      prepend(program, loadWord, argumentsOffset + 8 * argument);
    }
  }
}

const wholeWord = 0xffffffff;

function verdict(action: SeccompAction): number {
  if (action === "allow") return retAllow;
  return action === "kill" ? retKillProcess : retErrno | action.errno;
}
