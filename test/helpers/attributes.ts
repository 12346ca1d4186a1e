/** Extended attributes as Debian's attr shows and sets them, for whole trees and for names of any bytes. */
import { execFileSync } from "node:child_process";
import { describeTree } from "./image-tree.ts";

/** Path relative to `root`, one character a byte → its attributes, sorted, values in hex. */
export function attributesOf(root: string): ReadonlyMap<string, string> {
  const dump = execFileSync("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--", "."], {
    cwd: root,
    encoding: "latin1",
    maxBuffer: 256 * 1024 * 1024,
  });
  const found = new Map<string, string>();
  for (const block of dump.split("\n\n").filter((text) => text !== "")) {
    const [head = "", ...lines] = block.split("\n").filter((line) => line !== "");
    const path = head
      .replace(/^# file: /, "")
      .replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
    found.set(path === "." ? "" : `/${path.replace(/^\.\//, "")}`, lines.sort().join(" "));
  }
  return found;
}

export interface Attribute {
  readonly path: Buffer;
  readonly name: string;
  readonly value: Buffer;
}

/** Sets them below `root`; the last of one name counts. */
export function setAttributes(root: string, attributes: readonly Attribute[]): void {
  const text = attributes.map(({ path, name, value }) => {
    const quoted = [...path].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
    return `# file: ${quoted}\n${name}=${value.length === 0 ? '""' : `0x${value.toString("hex")}`}\n\n`;
  });
  execFileSync("setfattr", ["-h", "--restore=-"], { cwd: root, input: text.join("") });
}

/** Everything there is to say of each file below `root`: as describeTree, and the attributes. */
export function walkTree(root: string): ReadonlyMap<string, string> {
  const attributes = attributesOf(root);
  const tree = describeTree(root);
  for (const path of attributes.keys()) if (!tree.has(path)) throw new Error(`getfattr saw ${path}, the walk did not`);
  return new Map([...tree].map(([path, text]) => [path, `${text} ${attributes.get(path) ?? ""}`]));
}
