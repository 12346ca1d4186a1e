/** The files that carry a pod's uuid between commands of a service unit. */
import { unlink, writeFile } from "node:fs/promises";
import { Failure, printable } from "../base/failure.ts";
import { ignoreMissing, ioFailure, readIfExists } from "../base/files.ts";

/** The pod named by the one argument, or by the uuid file instead of it. @throws Failure USAGE, NOT_FOUND */
export async function readUuidFile(args: readonly string[], file: string | undefined): Promise<string> {
  const [only, ...others] = await podsFrom(args, file);
  if (only === undefined || others.length > 0)
    throw new Failure("USAGE", "one pod is needed", { hint: "perigee list shows the uuids" });
  return only;
}

/** The pods named by arguments, or by a uuid file. @throws Failure USAGE when both or neither are given */
export async function podsFrom(args: readonly string[], file: string | undefined): Promise<readonly string[]> {
  if ((file === undefined) === (args.length === 0)) {
    throw new Failure("USAGE", "name pods, or give --uuid-file", { hint: "perigee list shows the uuids" });
  }
  if (file === undefined) return args;
  const bytes = await readIfExists(file, 4096);
  if (bytes === undefined) throw new Failure("NOT_FOUND", `there is no file ${printable(file)}`, { subject: file });
  return [bytes.toString("utf8").trim()];
}

/** 36 characters without a newline, mode 0644, as rkt's users expect. */
export async function saveUuidFile(file: string, uuid: string): Promise<void> {
  try {
    await writeFile(file, uuid, { mode: 0o644 });
  } catch (error) {
    throw ioFailure(error, `cannot write ${file}`, file);
  }
}

/** Takes back what saveUuidFile wrote, for a pod that did not start. */
export async function removeUuidFile(file: string): Promise<void> {
  await unlink(file).catch(ignoreMissing);
}
