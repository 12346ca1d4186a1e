/** How much of an archive is read before it is refused (security table 2.2: N01…N06, P12…P14, X05). */

export interface TarLimits {
  readonly entries: number;
  /** Bytes of one file, sparse ones counted by their logical size. */
  readonly fileSize: number;
  /** Bytes of the whole tar. */
  readonly totalSize: number;
  readonly pathLength: number;
  readonly componentLength: number;
  readonly depth: number;
  /** Bytes of one PAX header or GNU long name. */
  readonly metaRecord: number;
  readonly xattrValue: number;
  readonly xattrTotal: number;
}

const kibi = 1024;
const gibi = 1024 ** 3;

export const defaultTarLimits: TarLimits = {
  entries: 2_000_000,
  fileSize: 64 * gibi,
  totalSize: 64 * gibi,
  pathLength: 4095,
  componentLength: 255,
  depth: 1024,
  metaRecord: kibi * kibi,
  xattrValue: 64 * kibi,
  xattrTotal: 128 * kibi,
};
