/**
 * Licences (SBOM-5): what a package says in its own words becomes an SPDX expression where every word of it is one SPDX knows.
 * Nothing is guessed: anything else stays a text of its own, under a `LicenseRef-`.
 */
import { sha512 } from "../base/digest.ts";

export interface Licence {
  /** A valid SPDX expression. */
  readonly expression: string;
  /** The words it stands for, when the expression is a `LicenseRef-`. */
  readonly text?: string | undefined;
}

/** Identifiers of the SPDX list that packages use; one that is missing here costs no information, only the common word for it. */
const identifiers =
  `0BSD AFL-2.1 AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.0 Apache-1.1 Apache-2.0 APSL-2.0 Artistic-1.0
Artistic-1.0-Perl Artistic-2.0 Beerware BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent BSD-3-Clause BSD-4-Clause
BSD-4-Clause-UC BSL-1.0 bzip2-1.0.6 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CDDL-1.1 CPL-1.0 curl ECL-2.0
EFL-2.0 EPL-1.0 EPL-2.0 EUPL-1.1 EUPL-1.2 FSFAP FSFUL FSFULLR FTL GFDL-1.1-only GFDL-1.1-or-later GFDL-1.2-only GFDL-1.2-or-later
GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND
HPND-sell-variant ICU IJG ImageMagick Info-ZIP Intel IPA IPL-1.0 ISC JSON LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only
LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later Libpng libpng-2.0 libtiff Linux-man-pages-copyleft LPL-1.02 LPPL-1.3c MirOS MIT
MIT-0 MIT-CMU MITNFA MPL-1.0 MPL-1.1 MPL-2.0 MS-PL MS-RL NAIST-2003 NCSA NTP OFL-1.0 OFL-1.1 OLDAP-2.8 OpenSSL OpenSSL-standalone
OSL-3.0 PHP-3.0 PHP-3.01 PostgreSQL PSF-2.0 Python-2.0 Python-2.0.1 QPL-1.0 RSA-MD Ruby SGI-B-2.0 Sleepycat SMLNJ Spencer-86 SSLeay-standalone
SunPro TCL Unicode-3.0 Unicode-DFS-2015 Unicode-DFS-2016 Unlicense UPL-1.0 Vim W3C WTFPL X11 Xnet Zend-2.0 Zlib zlib-acknowledgement
ZPL-2.0 ZPL-2.1`.split(/\s+/);

const exceptions =
  `Autoconf-exception-2.0 Autoconf-exception-3.0 Autoconf-exception-generic Bison-exception-2.2 Classpath-exception-2.0 Font-exception-2.0
GCC-exception-2.0 GCC-exception-3.1 Libtool-exception Linux-syscall-note LLVM-exception OpenJDK-assembly-exception-1.0`.split(
    /\s+/,
  );

/** Debian's short names and rpm's older ones, where they mean exactly one licence of the list. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ["agpl-3", "AGPL-3.0-only"],
  ["agpl-3+", "AGPL-3.0-or-later"],
  ["apache-2", "Apache-2.0"],
  ["asl 2.0", "Apache-2.0"],
  ["bsd-2-clause", "BSD-2-Clause"],
  ["boost", "BSL-1.0"],
  ["cc0", "CC0-1.0"],
  ["expat", "MIT"],
  ["gfdl-1.2", "GFDL-1.2-only"],
  ["gfdl-1.2+", "GFDL-1.2-or-later"],
  ["gfdl-1.3", "GFDL-1.3-only"],
  ["gfdl-1.3+", "GFDL-1.3-or-later"],
  ["gpl-1", "GPL-1.0-only"],
  ["gpl-1+", "GPL-1.0-or-later"],
  ["gpl-2", "GPL-2.0-only"],
  ["gpl-2+", "GPL-2.0-or-later"],
  ["gpl-2.0", "GPL-2.0-only"],
  ["gpl-2.0+", "GPL-2.0-or-later"],
  ["gpl-3", "GPL-3.0-only"],
  ["gpl-3+", "GPL-3.0-or-later"],
  ["gpl-3.0", "GPL-3.0-only"],
  ["gpl-3.0+", "GPL-3.0-or-later"],
  ["gplv2", "GPL-2.0-only"],
  ["gplv2+", "GPL-2.0-or-later"],
  ["gplv3", "GPL-3.0-only"],
  ["gplv3+", "GPL-3.0-or-later"],
  ["lgpl-2", "LGPL-2.0-only"],
  ["lgpl-2+", "LGPL-2.0-or-later"],
  ["lgpl-2.0+", "LGPL-2.0-or-later"],
  ["lgpl-2.1", "LGPL-2.1-only"],
  ["lgpl-2.1+", "LGPL-2.1-or-later"],
  ["lgpl-3", "LGPL-3.0-only"],
  ["lgpl-3+", "LGPL-3.0-or-later"],
  ["lgplv2+", "LGPL-2.0-or-later"],
  ["lgplv3+", "LGPL-3.0-or-later"],
  ["psf-2", "PSF-2.0"],
]);

const known: ReadonlyMap<string, string> = new Map([
  ...identifiers.map((name) => [name.toLowerCase(), name] as const),
  ...otherNames,
]);
const knownExceptions: ReadonlyMap<string, string> = new Map(exceptions.map((name) => [name.toLowerCase(), name]));

/** Longer statements are kept as their first characters: they go into every document. */
const longestText = 4096;

/** @param words what the package says; undefined when there is nothing to say */
export function licenceOf(words: string): Licence | undefined {
  const text = words.trim().slice(0, longestText);
  if (text === "") return undefined;
  const expression = parseExpression(text);
  if (expression !== undefined) return { expression };
  const name = text.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^-+|(?<!-)-+$/g, "");
  // The digest keeps two texts apart whose letters are the same.
  return { expression: `LicenseRef-${[name.slice(0, 40), sha512(text).slice(0, 12)].filter(Boolean).join("-")}`, text };
}

/** Known names, joined by AND and OR, in balanced brackets; undefined for anything else. */
function parseExpression(text: string): string | undefined {
  const whole = known.get(text.toLowerCase());
  if (whole !== undefined) return whole;
  const words: readonly string[] = text.match(/[()]|[^()\s]+/g) ?? [];
  // AND and OR have an order of precedence; who writes "and" and "or" side by side may mean another.
  if (words.includes("and") && words.includes("or") && !words.includes("(")) return undefined;
  const tokens: Token[] = [];
  for (let at = 0; at < words.length; ) {
    const token = tokenAt(words, at);
    if (token === undefined) return undefined;
    tokens.push(token);
    at += token.words;
  }
  if (!isExpression(tokens)) return undefined;
  const joined = tokens.map((token) => token.text).join(" ");
  return joined.replace(/\( /g, "(").replace(/ \)/g, ")");
}

interface Token {
  /** A term, an operator, a bracket. */
  readonly kind: "T" | "O" | "(" | ")";
  readonly text: string;
  readonly words: number;
}

/** `NAME`, `NAME WITH EXCEPTION`, an operator or a bracket. */
function tokenAt(words: readonly string[], at: number): Token | undefined {
  const [word = "", joint, exception = ""] = words.slice(at, at + 3);
  if (word === "(" || word === ")") return { kind: word, text: word, words: 1 };
  if (/^(?:and|or)$/i.test(word)) return { kind: "O", text: word.toUpperCase(), words: 1 };
  const licence = known.get(word.toLowerCase());
  if (licence === undefined) return undefined;
  if (joint?.toUpperCase() !== "WITH") return { kind: "T", text: licence, words: 1 };
  const allowed = knownExceptions.get(exception.toLowerCase());
  return allowed === undefined ? undefined : { kind: "T", text: `${licence} WITH ${allowed}`, words: 3 };
}

/** Replaces what is an expression by a term until nothing changes: no recursion that a stranger could drive. */
function isExpression(tokens: readonly Token[]): boolean {
  let shape = tokens.map(({ kind }) => kind).join("");
  for (let before = ""; before !== shape; ) {
    before = shape;
    shape = shape.replace(/T(?:OT)+/g, "T").replace(/\(T\)/g, "T");
  }
  return shape === "T";
}
