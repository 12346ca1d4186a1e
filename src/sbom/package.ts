/** What is found in an image: packages, as their package manager wrote them down, and the distribution they are of. Only data. */

export type PackageType = "deb" | "apk" | "rpm" | "npm";

export interface FoundPackage {
  readonly type: PackageType;
  /** The distribution, or the scope of an npm package with its `@`. */
  readonly namespace?: string | undefined;
  readonly name: string;
  /** As the package manager compares it; of rpm VERSION-RELEASE without the epoch. */
  readonly version: string;
  readonly epoch?: number | undefined;
  readonly architecture?: string | undefined;
  /** `ID-VERSION` of the distribution. */
  readonly distribution?: string | undefined;
  /** What the package says of its licence, in its own words. */
  readonly licence?: string | undefined;
  /** The source package: `name version`, or the name of its file. */
  readonly source?: string | undefined;
  readonly supplier?: string | undefined;
  readonly homepage?: string | undefined;
  readonly description?: string | undefined;
  /** SHA-512 of the archive it came in, lower-case hex. */
  readonly sha512?: string | undefined;
  /** Where it is written down, relative to the root of the image; sorted, no two equal. */
  readonly places: readonly string[];
}

export interface Distribution {
  /** `ID` of os-release, such as debian. */
  readonly id: string;
  readonly version?: string | undefined;
  /** `PRETTY_NAME` or `NAME`. */
  readonly title?: string | undefined;
}

/** More packages than any image has: what a list of a stranger may cost. */
export const mostPackages = 100_000;

/** What the files of one image say. */
export interface Inventory {
  readonly distribution?: Distribution | undefined;
  /** Sorted by purl; one for each purl. */
  readonly packages: readonly FoundPackage[];
  /** What could not be read, as sentences; an inventory with any is not complete. */
  readonly problems: readonly string[];
}
