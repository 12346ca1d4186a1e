/** Bodies of type application/x-www-form-urlencoded, as bytes: what is signed need not be text. */

/** Name → value; undefined for a body that is no form, or names a field twice. */
export function parseForm(body: Buffer): ReadonlyMap<string, Buffer> | undefined {
  const fields = new Map<string, Buffer>();
  for (const part of body.toString("latin1").split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const name = decode(at < 0 ? part : part.slice(0, at))?.toString("utf8");
    const value = decode(at < 0 ? "" : part.slice(at + 1));
    if (name === undefined || value === undefined || fields.has(name)) return undefined;
    fields.set(name, value);
  }
  return fields;
}

/** `text` has one character for each byte. */
function decode(text: string): Buffer | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const plain = text
    .replaceAll("+", " ")
    .replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Buffer.from(plain, "latin1");
}
