/** Paths compared by their components, never by their text: `/a/b` is below `/a`, `/ab` is not (T-R56). Knows no file system. */

/** The names in a path, without empty ones and `.`; `..` stays. */
export function componentsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** `//a/./b/` → `/a/b`; `..` stays. */
export function cleanPath(path: string): string {
  return `/${componentsOf(path).join("/")}`;
}

/** By components. */
export function isAtOrBelow(path: string, ancestor: string): boolean {
  const parts = componentsOf(path);
  return componentsOf(ancestor).every((part, index) => parts[index] === part);
}
