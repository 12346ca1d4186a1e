/** The tree the image benchmarks use: some 8,700 files and 170 MB of what the machine has installed, the same choice every time. */
import { copyFileSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";

const wantedFiles = 8700;
const wantedBytes = 170_000_000;

/** Fills `directory`; returns what was copied. */
export function makeTree(directory: string): { readonly files: number; readonly bytes: number } {
  const candidates = [...filesBelow("/usr/share"), ...filesBelow("/usr/include"), ...filesBelow("/usr/lib")].sort(
    (a, b) => a.size - b.size,
  );
  // Sorted by size, a window of the list is moved up until its sum is what is wanted.
  const sizes = candidates.map((file) => file.size);
  let start = 0;
  let sum = sizes.slice(0, wantedFiles).reduce((a, b) => a + b, 0);
  while (start + wantedFiles < sizes.length && sum < wantedBytes) {
    sum += (sizes[start + wantedFiles] ?? 0) - (sizes[start] ?? 0);
    start++;
  }
  const chosen = candidates.slice(start, start + wantedFiles);
  for (const file of chosen) {
    const target = join(directory, file.path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(file.path, target);
  }
  return { files: chosen.length, bytes: sum };
}

interface Candidate {
  readonly path: string;
  readonly size: number;
}

function filesBelow(directory: string): readonly Candidate[] {
  const found: Candidate[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...filesBelow(path));
    else if (entry.isFile()) found.push({ path, size: lstatSync(path).size });
  }
  return found;
}
