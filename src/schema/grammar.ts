/** The grammars of appc names and quantities without a schema library: what run's hot path needs of this folder (architecture 10). */
import type { ACIdentifier, ACName } from "./names.ts";

/** The appc version this program writes. */
export const acVersion = "0.8.11";

/** TYPE-1. */
export const acIdentifier = /^[a-z0-9]+([-._~/][a-z0-9]+)*$/;
/** TYPE-2. */
export const acName = /^[a-z0-9]+(-[a-z0-9]+)*$/;
/** TYPE-11, ACI-39. */
export const environmentName = /^[A-Za-z_][A-Za-z_0-9.-]*$/;
/** Bytes of the longest manifest that is read (A05). */
export const manifestLimit = 4 * 1024 * 1024;
/** The longest name of either kind, in characters. */
export const nameLimit = 512;

/** Whether `prefix` covers `name` by whole path components: `example.com/a` covers `example.com/a/b`, not `example.com/ab` (T-S15). */
export function isUnderPrefix(name: string, prefix: string): boolean {
  const parts = name.split("/");
  return prefix.split("/").every((part, index) => parts[index] === part);
}

export function isACIdentifier(text: string): text is ACIdentifier {
  return text.length <= nameLimit && acIdentifier.test(text);
}

export function isACName(text: string): text is ACName {
  return text.length <= nameLimit && acName.test(text);
}

/** A default app name from the last part of an image name (TYPE-3); undefined when nothing valid is left. */
export function sanitiseName(text: string): ACName | undefined {
  const words = text.toLowerCase().split(/[^a-z0-9]+/);
  const name = words.filter((word) => word !== "").join("-");
  return isACName(name) ? name : undefined;
}

const factors: ReadonlyMap<string, readonly [bigint, bigint]> = new Map([
  ["n", [1n, 1_000_000_000n]],
  ["u", [1n, 1_000_000n]],
  ["m", [1n, 1000n]],
  ["", [1n, 1n]],
  ["k", [10n ** 3n, 1n]],
  ["K", [10n ** 3n, 1n]],
  ["M", [10n ** 6n, 1n]],
  ["G", [10n ** 9n, 1n]],
  ["T", [10n ** 12n, 1n]],
  ["P", [10n ** 15n, 1n]],
  ["E", [10n ** 18n, 1n]],
  ["Ki", [2n ** 10n, 1n]],
  ["Mi", [2n ** 20n, 1n]],
  ["Gi", [2n ** 30n, 1n]],
  ["Ti", [2n ** 40n, 1n]],
  ["Pi", [2n ** 50n, 1n]],
  ["Ei", [2n ** 60n, 1n]],
]);

/** TYPE-12. */
export const quantity =
  /^([+-]?)(\d{1,20})(?:\.(\d{1,20}))?(?:(n|u|m|k|K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([+-]?\d{1,2}))?$/;

/**
 * `text` in units of 1/`scale` (1n for bytes, 1000n for milli-cores), rounded up as the reference code does;
 * undefined when it is not a quantity. `128974848` = `125952Ki` = `123Mi`.
 */
export function parseQuantity(text: string, scale = 1n): bigint | undefined {
  const match = quantity.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "0", fraction = "", suffix = "", exponent = "0"] = match;
  const power = Number(exponent);
  const [multiplier, divisor] = factors.get(suffix) ?? [1n, 1n];
  const numerator = BigInt(whole + fraction) * multiplier * scale * 10n ** BigInt(Math.max(power, 0));
  const denominator = divisor * 10n ** BigInt(fraction.length) * 10n ** BigInt(Math.max(-power, 0));
  const value = (numerator + denominator - 1n) / denominator;
  return sign === "-" ? -value : value;
}

/** How mounts made later below a host volume's source, or below where it is mounted, reach the other side (POD-54). */
export const propagations = ["private", "slave", "shared"] as const;
export type Propagation = (typeof propagations)[number];
