/**
 * The metadata service of one data directory: which pods it answers, and when it ends. Pods register over a socket in a directory that is the
 * owner's alone; that they did is a file of theirs, so that the next service answers them after this one was killed (META-5).
 */
import { existsSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { steadyNow } from "../base/clock.ts";
import { Failure, messageOf, printable } from "../base/failure.ts";
import type { Log } from "../base/log.ts";
import type { Phase } from "../pod/phases.ts";
import { findPod, isUuid, podsOf, uuidsIn } from "../pod/pod.ts";
import { isAlive, readInit } from "../pod/record.ts";
import { FileLock } from "../shim/flock.ts";
import type { DescribedPod } from "./answers.ts";
import { openKeys, type PodKeys } from "./keys.ts";
import { listen, makeMetadataDirectory, socketPath } from "./places.ts";
import { readRegistration } from "./registration.ts";
import { Tenants } from "./tenants.ts";

/** Milliseconds between two looks: while a pod starts, and while all that run have started. */
const [soon, later] = [10, 1000] as const;
/** Milliseconds after which it is asked whether a pod will ever start. */
const patience = 2000;
const longestLine = 256;
/** Where a pod that asked may stand until it has ended, in the order it moves through them. */
const places: readonly Phase[] = ["prepare", "prepared", "run"];

export interface ServiceOptions {
  readonly data: string;
  /** For pods with the host's network, on 127.0.0.1. */
  readonly port: number;
  /** Ends when no pod that asked has run for so long; 0: never. */
  readonly idleSeconds: number;
  /** A listening socket for registrations that somebody else made. */
  readonly descriptor?: number | undefined;
  /** `directory` is that of a pod which runs. */
  readonly describe: (uuid: string, directory: string) => DescribedPod;
  readonly log: Log;
}

export class MetadataService {
  readonly #options: ServiceOptions;
  readonly #tenants: Tenants;
  readonly #lock: FileLock;
  /** Pods that asked and do not run yet: uuid → since when, in milliseconds of Date.now. */
  readonly #waiting = new Map<string, number>();
  readonly #registrations: Server;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #busyAt = steadyNow();
  #isClosing = false;
  #end: () => void = () => {};
  /** Resolves when it has ended, being idle or told to. */
  readonly ended: Promise<void>;

  private constructor(options: ServiceOptions, keys: PodKeys, lock: FileLock) {
    this.#options = options;
    this.#tenants = new Tenants(keys, options.log, () => this.#settle());
    this.#lock = lock;
    this.#registrations = createServer((socket) => this.#accept(socket));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Resolves when it answers, also the pods that asked an earlier one. @throws Failure LOCKED when there is one already, WRONG_STATE, IO_FAILED */
  static async start(options: ServiceOptions): Promise<MetadataService> {
    const directory = makeMetadataDirectory(options.data);
    const lock = FileLock.open(directory, "exclusive");
    if (lock === undefined) {
      throw new Failure("LOCKED", "the metadata service of this data directory runs already", { subject: directory });
    }
    try {
      const keys = await openKeys(join(directory, "secret"));
      const service = new MetadataService(options, keys, lock);
      await service.#open(directory);
      return service;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async #open(directory: string): Promise<void> {
    const { data, descriptor } = this.#options;
    const root = podsOf(data);
    for (const uuid of uuidsIn(root, "run")) {
      if (readRegistration(join(root, "run", uuid)) !== undefined) this.#waiting.set(uuid, steadyNow());
    }
    await this.#look();
    if (descriptor !== undefined) return await listen(this.#registrations, { fd: descriptor });
    rmSync(join(directory, "socket"), { force: true });
    // By the descriptor that is open until the socket is closed, and its file gone with it.
    await listen(this.#registrations, { path: socketPath(this.#lock.fd) });
  }

  /** One line, `host UUID` or `own UUID`; the answer is `{"port":N}` of 127.0.0.1, where its apps will be answered. */
  #accept(socket: Socket): void {
    let line = "";
    socket.setTimeout(patience, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.setEncoding("latin1").on("data", (part: string) => {
      line += part;
      const end = line.indexOf("\n");
      if (end < 0 && line.length <= longestLine) return;
      socket.removeAllListeners("data");
      if (end < 0 || this.#isClosing) socket.destroy();
      else void this.#register(socket, line.slice(0, end));
    });
  }

  async #register(socket: Socket, line: string): Promise<void> {
    const [kind, uuid = ""] = line.split(" ");
    try {
      if ((kind !== "host" && kind !== "own") || !isUuid(uuid)) throw new Error("not a registration");
      const { port } = this.#options;
      const answer = { port: kind === "host" ? await this.#tenants.hostPort(port) : port };
      this.#waiting.set(uuid, steadyNow());
      socket.end(`${JSON.stringify(answer)}\n`);
      this.#schedule();
    } catch (error) {
      socket.end(`${JSON.stringify({ error: messageOf(error) })}\n`);
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isClosing) return;
    this.#timer = setTimeout(() => void this.#look(), this.#waiting.size > 0 ? soon : later);
  }

  /** Until no pod is waited for, but not long: whoever asks with a token of nobody's is told so. */
  async #settle(): Promise<void> {
    for (const end = steadyNow() + patience; this.#waiting.size > 0 && steadyNow() < end; await sleep(soon)) {
      await this.#look();
    }
  }

  /** One at a time, or a pod would be attached twice. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    this.#tenants.sweep();
    for (const [uuid, since] of this.#waiting) {
      if (!(await this.#isStillWaiting(uuid, since))) this.#waiting.delete(uuid);
    }
    const { idleSeconds } = this.#options;
    if (this.#waiting.size + this.#tenants.size > 0) this.#busyAt = steadyNow();
    if (idleSeconds > 0 && steadyNow() - this.#busyAt >= idleSeconds * 1000) return await this.close();
    this.#schedule();
  }

  async #isStillWaiting(uuid: string, since: number): Promise<boolean> {
    const root = podsOf(this.#options.data);
    const directory = join(root, "run", uuid);
    const [init, registration] = [readInit(directory), readRegistration(directory)];
    if (init === undefined || registration === undefined) {
      if (!places.some((phase) => existsSync(join(root, phase, uuid)))) return false;
      if (steadyNow() - since < patience) return true;
      const state = findPod(root, uuid)?.state;
      this.#waiting.set(uuid, steadyNow());
      return state === "preparing" || state === "running";
    }
    if (!isAlive(init)) return false;
    try {
      const pod = this.#options.describe(uuid, directory);
      return !(await this.#tenants.attach(uuid, { registration, init, pod }));
    } catch (error) {
      this.#options.log.warn(`pod ${uuid} is not answered: ${printable(messageOf(error))}`);
      return false;
    }
  }

  /** Pods that are answered already are not any more; the next service will. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    clearTimeout(this.#timer);
    // Its file goes with it; the lock is held until then, so that it is not the next service's.
    await new Promise((resolve) => this.#registrations.close(resolve));
    await this.#tenants.close();
    this.#lock.release();
    this.#end();
  }
}
