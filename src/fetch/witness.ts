/** Who is shown the bytes of an archive while they are fetched, so that nobody reads them a second time. */

/** Takes the bytes of an archive in order, as they are staged: a SignatureCheck. Its SHA-512, if it has one, is not computed again. */
export interface Witness {
  update(chunk: Uint8Array): void;
  readonly sha512?: (() => string) | undefined;
}

/** One may be made only when bytes come: it is costly, and nothing comes of what did not change. */
export type Witnessing = Witness | (() => Promise<Witness>) | undefined;

export const madeOf = async (witness: Witnessing): Promise<Witness | undefined> =>
  typeof witness === "function" ? await witness() : witness;
