/** Random choices that can be made again: everything follows from a seed. */

export class Random {
  #state: bigint;

  constructor(...seeds: readonly number[]) {
    this.#state = seeds.reduce((state, seed) => mix(state ^ BigInt.asUintN(64, BigInt(seed))), 0x9e3779b97f4a7c15n);
  }

  /** 0 to `bound` − 1. */
  below(bound: number): number {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    return Number(mix(this.#state) % BigInt(bound));
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error("nothing to pick from");
    return list[this.below(list.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** The finaliser of SplitMix64. */
function mix(value: bigint): bigint {
  const first = BigInt.asUintN(64, (value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n);
  const second = BigInt.asUintN(64, (first ^ (first >> 27n)) * 0x94d049bb133111ebn);
  return second ^ (second >> 31n);
}

/** The seed of a run that names none; a run prints it. */
export function freshSeed(): number {
  return Number(process.env["PERIGEE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
}

/** As freshSeed, for `npm test`: where CI is set every run is the same, so that a change never fails for what was wrong before it. */
export function testSeed(): number {
  const ci = process.env["CI"] ?? "";
  const isFixed = ci !== "" && ci !== "false" && process.env["PERIGEE_SEED"] === undefined;
  return isFixed ? 1 : freshSeed();
}
