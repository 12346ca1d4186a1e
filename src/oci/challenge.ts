/** What a registry asks for before it answers: `WWW-Authenticate`, read as loosely as it is written. Pure. */

export type Challenge =
  | { readonly kind: "basic" }
  | { readonly kind: "bearer"; readonly realm: string; readonly service: string | undefined };

const longestHeader = 4096;

/** Undefined for one that nobody here can meet. Parameters come in any order, any number, quoted or not (rkt#3211). */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const text = (header ?? "").slice(0, longestHeader);
  const scheme = /^\s*([A-Za-z]+)(?:\s|$)/.exec(text)?.[1]?.toLowerCase();
  if (scheme === "basic") return { kind: "basic" };
  if (scheme !== "bearer") return undefined;
  const fields = new Map<string, string>();
  for (const [, name = "", quoted, bare] of text.matchAll(/(?<![a-z_])([a-z_]+)=(?:"([^"]*)"|([^\s",]*))/gi)) {
    fields.set(name.toLowerCase(), quoted ?? bare ?? "");
  }
  const realm = fields.get("realm");
  return realm === undefined ? undefined : { kind: "bearer", realm, service: fields.get("service") };
}
