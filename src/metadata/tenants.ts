/** The pods that are answered now, each where its apps look for it: on a socket of its own network, or on one of the host's. */
import { closeSync, fstatSync } from "node:fs";
import type { Server } from "node:http";
import { errnoOf, Failure } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import { isAlive, type ProcessIdentity } from "../pod/record.ts";
import { copyDescriptor } from "../shim/libc.ts";
import type { DescribedPod } from "./answers.ts";
import type { PodKeys } from "./keys.ts";
import { listen } from "./places.ts";
import type { Registration } from "./registration.ts";
import { metadataServer, type Tenant } from "./server.ts";

/** The number under which init holds the socket of its pod (SHIM-40). */
const listener = 200;

interface AttachedPod extends Tenant {
  readonly init: ProcessIdentity;
  /** On a socket of its own network; of a pod with the host's it is shared, by port. */
  readonly server: Server | undefined;
  readonly port: number;
}

export interface Newcomer {
  readonly registration: Registration;
  readonly init: ProcessIdentity;
  readonly pod: DescribedPod;
}

export class Tenants {
  readonly #keys: PodKeys;
  readonly #log: Log;
  readonly #settled: () => Promise<void>;
  readonly #pods = new Map<string, AttachedPod>();
  /** Of 127.0.0.1 of the host, by port. */
  readonly #shared = new Map<number, Promise<Server>>();

  /** @param settled resolves when the pods that are starting now have been attached */
  constructor(keys: PodKeys, log: Log, settled: () => Promise<void>) {
    this.#keys = keys;
    this.#log = log;
    this.#settled = settled;
  }

  get size(): number {
    return this.#pods.size;
  }

  has(uuid: string): boolean {
    return this.#pods.has(uuid);
  }

  /** The port of the host where pods with its network are answered: `wanted`, or any that is free when that is 0 or somebody else's. @throws Failure IO_FAILED */
  async hostPort(wanted: number): Promise<number> {
    const [known] = this.#shared.keys();
    if (known !== undefined) return known;
    try {
      if (wanted !== 0) {
        await this.#listenAt(wanted);
        return wanted;
      }
    } catch (error) {
      if (errnoOf(error) !== "EADDRINUSE") throw error;
      this.#log.warn(`port ${wanted} of 127.0.0.1 is in use: pods with the host's network are answered at another`);
    }
    const server = this.#hostServer();
    await listen(server, { host: "127.0.0.1", port: 0 });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Failure("INTERNAL", "a socket without a port");
    this.#shared.set(address.port, Promise.resolve(server));
    return address.port;
  }

  /** False: its init does not listen yet. @throws Failure NOT_ROOT, IO_FAILED; the system's error for a port of the host that is taken */
  async attach(uuid: string, { registration, init, pod }: Newcomer): Promise<boolean> {
    const { token, port, isHost } = registration;
    if (isHost) {
      await this.#listenAt(port);
      this.#pods.set(uuid, { token, pod, init, port, server: undefined });
      return true;
    }
    const descriptor = copyDescriptor(init.pid, listener);
    if (descriptor === undefined) return false;
    // The number may be another process's by now, and the copy one of its descriptors; before init listens something else has the place.
    if (!isAlive(init) || !fstatSync(descriptor).isSocket()) {
      closeSync(descriptor);
      return false;
    }
    const tenant = { token, pod };
    const server = metadataServer(
      { isShared: false, current: () => [tenant], settled: async () => {} },
      this.#keys,
      this.#log,
    );
    await listen(server, { fd: descriptor });
    this.#pods.set(uuid, { ...tenant, init, port, server });
    return true;
  }

  /** Lets go of pods that have ended: a socket of ours would keep their networks alive. */
  sweep(): void {
    for (const [uuid, { init, server }] of this.#pods) {
      if (isAlive(init)) continue;
      this.#pods.delete(uuid);
      close(server);
    }
  }

  async close(): Promise<void> {
    for (const { server } of this.#pods.values()) close(server);
    this.#pods.clear();
    for (const shared of this.#shared.values()) close(await shared.catch(() => undefined));
    this.#shared.clear();
  }

  async #listenAt(port: number): Promise<void> {
    const made = this.#shared.get(port) ?? this.#open(port);
    this.#shared.set(port, made);
    try {
      await made;
    } catch (error) {
      this.#shared.delete(port);
      throw error;
    }
  }

  async #open(port: number): Promise<Server> {
    const server = this.#hostServer();
    await listen(server, { host: "127.0.0.1", port });
    return server;
  }

  #hostServer(): Server {
    const current = (): Iterable<Tenant> => [...this.#pods.values()].filter(({ server }) => server === undefined);
    return metadataServer({ isShared: true, current, settled: this.#settled }, this.#keys, this.#log);
  }
}

function close(server: Server | undefined): void {
  server?.close();
  server?.closeAllConnections();
}
