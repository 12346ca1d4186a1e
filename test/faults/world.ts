/**
 * Where faults are tried: one state of the directories that a command works on, given back before every try, a publisher's site that
 * it may fetch from, and the program `inject`, which makes one system call fail or the last.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostArch } from "../../src/schema/platform.ts";
import { type Authority, createAuthority, type ScriptedServer, startServer } from "../helpers/https-server.ts";
import { directory, file, layer, writeLayout } from "../helpers/oci-images.ts";
import { type Outcome, program, project, Running, Workspace } from "../helpers/program.ts";
import { tarBytes } from "../helpers/tar-bytes.ts";
import { craft, type MadeKey, makeKey } from "../helpers/trust.ts";

const inject = join(project, "native", "build", "inject");
const host = "example.com";
const arch = hostArch(process.arch);
/** Of Linux, on every processor. */
const errnos = { EIO: 5, ENFILE: 23, EMFILE: 24, ENOSPC: 28 } as const;

export type Errno = keyof typeof errnos;
/** `all`: every process of the command, as a power button does; `one`: the process that makes the call. */
export type Fault = { readonly kill: "all" | "one" } | { readonly errno: Errno };
/** Kinds of calls that inject tells apart; `step`: changes, and what makes and ends processes, namespaces and mounts. */
export type Calls = "change" | "descriptor" | "read" | "step";

export interface Injection {
  readonly calls: Calls;
  /** The number of the call, from 1; with `fault`. */
  readonly at?: number;
  readonly fault?: Fault;
}

/** A counted call, as inject records it. */
export interface Call {
  readonly name: string;
  /** DEVICE:INODE of the open file it is about, or `-`. */
  readonly file: string;
  readonly path: string;
  /** The second path of a rename or link. */
  readonly to: string;
}

/** What a command may change, below the directory of the world. */
export const places = ["data", "etc", "out"] as const;

export class FaultWorld {
  readonly work: Workspace;
  readonly key: MadeKey;
  readonly #authority: Authority;
  readonly #server: ScriptedServer;

  private constructor(key: MadeKey, authority: Authority, server: ScriptedServer) {
    this.work = new Workspace();
    this.key = key;
    this.#authority = authority;
    this.#server = server;
  }

  /** example.com has an image `app`, which depends on `base`; both are signed, and in files too. Nothing is trusted or stored. */
  static async open(): Promise<FaultWorld> {
    const authority = createAuthority();
    const server = await startServer(authority.issue([host]));
    const world = new FaultWorld(await makeKey(), authority, server);
    const tag = `<meta name="ac-discovery" content="${host} https://${host}/{name}-{version}-{os}-{arch}.{ext}">`;
    for (const name of ["", "base", "app"]) server.on(`/${name}?ac-discovery=1`, { body: tag });
    await world.#publish("base", []);
    await world.#publish("app", [{ imageName: `${host}/base` }]);
    world.#layOut("layered");
    writeFileSync(world.work.path("key.asc"), world.key.armored);
    return world;
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.work.close();
    this.#authority.remove();
  }

  /** Global options of a command that talks to the site. */
  get online(): readonly string[] {
    return ["--ca-file", this.#authority.caFile, "--connect-to", `${host}:127.0.0.1:${this.#server.port}`];
  }

  async #publish(name: string, dependencies: readonly object[]): Promise<void> {
    const bytes = imageBytes(`${host}/${name}`, dependencies);
    const signature = await craft(this.key, bytes);
    const place = `/${host}/${name}-latest-linux-${arch}.aci`;
    this.#server.on(place, { body: bytes });
    this.#server.on(`${place}.asc`, { body: signature });
    writeFileSync(this.work.path(`${name}.aci`), bytes);
    writeFileSync(this.work.path(`${name}.aci.asc`), signature);
  }

  /** An OCI image of two layers, the upper of which says something of the lower, in a directory. */
  #layOut(name: string): void {
    const lower = [directory("share"), file("share/old"), file("share/large", "x".repeat(100_000))];
    const upper = [file("hello", `hello from ${name}\n`, { mode: 0o755 }), file("share/.wh.old", "")];
    writeLayout(this.work.path(name), { layers: [layer(lower), layer(upper)] });
  }

  /** Runs `perigee ARGS…` to its end, while the site answers. */
  async perigee(args: readonly string[]): Promise<Outcome> {
    return await this.#command([program, ...this.work.globals, ...args]);
  }

  /** As perigee, with a fault. The calls counted up to its end are those of `calls()`. */
  async faulty(args: readonly string[], { calls, at, fault }: Injection): Promise<Outcome> {
    const what =
      fault === undefined ? [] : "kill" in fault ? ["--kill", fault.kill] : ["--errno", `${errnos[fault.errno]}`];
    const where = ["--record", this.#record, "--below", this.work.directory, "--calls", calls];
    const when = at === undefined ? [] : ["--at", `${at}`];
    return await this.#command([inject, ...where, ...when, ...what, "--", program, ...this.work.globals, ...args]);
  }

  get #record(): string {
    return this.work.path("record");
  }

  /** What the last faulty run did; of a killed one, the last is the call that did not happen. */
  calls(): readonly Call[] {
    const lines = readFileSync(this.#record, "latin1").split("\n").slice(0, -1);
    return lines.map((line) => {
      const [, name = "", file = "", path = "", to = ""] = line.split("\t");
      return { name, file, path, to };
    });
  }

  async #command(argv: readonly string[]): Promise<Outcome> {
    const running = new Running(this.work.startCommand(argv, "pipe"));
    running.child.stdin?.end();
    const status = await running.ended;
    return { status, stdout: running.stdout, stderr: running.stderr };
  }

  /** Forgets every place. */
  clear(): void {
    for (const place of places) rmSync(this.work.path(place), { recursive: true, force: true });
  }

  /** Keeps the places, as they are or as they are in `root`, under `name`. */
  keep(name: string, root = this.work.directory): void {
    const kept = this.work.path("kept", name);
    rmSync(kept, { recursive: true, force: true });
    mkdirSync(kept, { recursive: true });
    for (const place of places) this.#copy(join(root, place), join(kept, place));
  }

  /** Makes the places what they were when they were kept. */
  restore(name: string): void {
    this.clear();
    for (const place of places) this.#copy(this.work.path("kept", name, place), this.work.path(place));
  }

  #copy(from: string, to: string): void {
    if (!existsSync(from)) return;
    const { status, stderr } = this.work.command(["cp", "--archive", from, to]);
    if (status !== 0) throw new Error(stderr);
  }
}

/** An ACI with a little of everything that a tree can hold. */
function imageBytes(name: string, dependencies: readonly object[]): Buffer {
  const labels = [
    { name: "os", value: "linux" },
    { name: "arch", value: arch },
  ];
  const app = { exec: ["/hello"], user: "0", group: "0" };
  const manifest = { acKind: "ImageManifest", acVersion: "0.8.11", name, labels, dependencies, app };
  return tarBytes({
    bare: true,
    members: [
      { name: "manifest", body: JSON.stringify(manifest) },
      { name: "rootfs", type: "5", mode: 0o755 },
      { name: "rootfs/hello", body: `hello from ${name}\n`, mode: 0o755 },
      { name: "rootfs/directory", type: "5", mode: 0o750 },
      { name: "rootfs/directory/link", type: "2", link: "../hello" },
      { name: "rootfs/directory/again", type: "1", link: "rootfs/hello" },
      { name: "rootfs/directory/large", body: "x".repeat(100_000) },
    ],
  });
}
