/** Whom `User` of a config means (OCI-34): Docker gives a user the groups that the image's own files say. Never trusts those files. */

/** A regular file of the image, links followed inside of it; undefined when it is not there or too long. */
export type FileReader = (path: string) => Buffer | undefined;

export interface MappedUser {
  readonly user: string;
  readonly group: string;
  readonly supplementaryGIDs?: readonly number[];
}

const largestId = 4294967294;
const mostLines = 65536;

/** `""`, `user`, `uid`, `user:group`, `uid:gid`: without a group the user's own, with those that list the user beside it. */
export function mapUser(text: string | undefined, read: FileReader): MappedUser {
  const [user = "", group] = (text ?? "").split(":");
  const word = user === "" ? "0" : plainNumber(user);
  if (group !== undefined && group !== "") return { user: word, group: plainNumber(group) };
  const passwd = linesOf(read("etc/passwd"));
  const line = passwd.find(({ fields: [name] }) => name === word) ?? passwd.find(({ id }) => String(id) === word);
  const primary = Number(line?.fields[3] ?? 0);
  const gid = Number.isSafeInteger(primary) && primary >= 0 && primary <= largestId ? primary : 0;
  const name = line?.fields[0];
  const others = linesOf(read("etc/group")).flatMap(({ id, fields }) =>
    name !== undefined && (fields[3] ?? "").split(",").includes(name) && id !== gid ? [id] : [],
  );
  // The group is a number that the passwd of the image gave; a name of the same digits in its group file is somebody's trick.
  return { user: word, group: String(gid), ...(others.length > 0 && { supplementaryGIDs: [...new Set(others)] }) };
}

/** `007` is seven to Docker. */
function plainNumber(word: string): string {
  return /^\d{1,10}$/.test(word) ? String(Number(word)) : word;
}

function linesOf(content: Buffer | undefined): readonly { readonly id: number; readonly fields: readonly string[] }[] {
  const lines = content?.toString("utf8").split("\n") ?? [];
  return lines.slice(0, mostLines).flatMap((line) => {
    const fields = line.split(":");
    const id = fields[2] ?? "";
    return /^\d{1,10}$/.test(id) && Number(id) <= largestId ? [{ id: Number(id), fields }] : [];
  });
}
