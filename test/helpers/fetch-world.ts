/** A publisher and a reader of images: a site over HTTPS, signed ACIs, a store, a keystore; all of them real, all in one directory. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { TlsOptions } from "node:tls";
import { gzipSync } from "node:zlib";
import { type Log, silentLog } from "../../src/base/log.ts";
import { fetchClosure, type PullPolicy } from "../../src/fetch/closure.ts";
import type { FetchContext } from "../../src/fetch/member.ts";
import { parseReference } from "../../src/fetch/reference.ts";
import { createHttpClient, type HttpClient } from "../../src/http/client.ts";
import { type ImageID, imageID } from "../../src/schema/image-id.ts";
import { hostArch } from "../../src/schema/platform.ts";
import type { ImageRecord } from "../../src/store/images.ts";
import { openStore, type Store } from "../../src/store/layout.ts";
import { openKeystore, storeTrustedKey } from "../../src/trust/keystore.ts";
import {
  type Authority,
  createAuthority,
  type ScriptedServer,
  startServer,
  type Versioned,
  versioned,
} from "./https-server.ts";
import { sha512 } from "./images.ts";
import { tarBytes } from "./tar-bytes.ts";
import { makeTemporary } from "./temporary.ts";
import { craft, type MadeKey, makeKey, now } from "./trust.ts";

export const host = "example.com";
export const arch = hostArch(process.arch);

export interface ImageSpec {
  readonly name: string;
  readonly version?: string | undefined;
  readonly labels?: readonly { readonly name: string; readonly value: string }[] | undefined;
  readonly dependencies?: readonly object[] | undefined;
  /** What the one file of the image says. */
  readonly content?: string | undefined;
  readonly compression?: "gzip" | "none" | undefined;
}

export interface MadeImage {
  readonly id: ImageID;
  readonly bytes: Buffer;
  readonly tar: Buffer;
}

/** An ACI with one file, `hello`. Its labels are `version`, and os and arch of this host unless others are given. */
export function makeImage(spec: ImageSpec): MadeImage {
  const version = spec.version === undefined ? [] : [{ name: "version", value: spec.version }];
  const labels = spec.labels ?? [
    { name: "os", value: "linux" },
    { name: "arch", value: arch },
  ];
  const manifest = {
    acKind: "ImageManifest",
    acVersion: "0.8.11",
    name: spec.name,
    labels: [...version, ...labels],
    dependencies: spec.dependencies ?? [],
  };
  const tar = tarBytes({
    bare: true,
    members: [
      { name: "manifest", body: JSON.stringify(manifest) },
      { name: "rootfs", type: "5", mode: 0o755 },
      { name: "rootfs/hello", body: spec.content ?? `hello from ${spec.name}\n` },
    ],
  });
  return { id: imageID(sha512(tar)), tar, bytes: spec.compression === "none" ? tar : gzipSync(tar) };
}

export interface PublishOptions {
  /** The key that signs; `none` publishes no signature. The world's own when absent. */
  readonly key?: MadeKey | "none" | undefined;
  /** Published under this name instead of its own. */
  readonly as?: string | undefined;
  /** When it was signed. */
  readonly signedAt?: Date | undefined;
  /** How image and signature are served; as fixed answers without validators when absent. */
  readonly served?: Versioned | undefined;
  /** Another file of the site's than where the name leads to. */
  readonly at?: string | undefined;
}

/** Made once a process: openssl takes a while. */
interface Credentials {
  readonly authority: Authority;
  readonly certificate: TlsOptions;
  readonly key: MadeKey;
}
let credentials: Promise<Credentials> | undefined;

async function makeCredentials(): Promise<Credentials> {
  const authority = createAuthority();
  process.once("exit", () => authority.remove());
  return { authority, certificate: authority.issue([host]), key: await makeKey() };
}

export class FetchWorld {
  readonly directory: string;
  readonly store: Store;
  readonly server: ScriptedServer;
  readonly key: MadeKey;
  readonly http: HttpClient;
  readonly #remove: () => Promise<void>;

  private constructor(parts: {
    directory: string;
    store: Store;
    server: ScriptedServer;
    key: MadeKey;
    caFile: string;
    remove: () => Promise<void>;
  }) {
    this.directory = parts.directory;
    this.store = parts.store;
    this.server = parts.server;
    this.key = parts.key;
    this.#remove = parts.remove;
    this.http = createHttpClient({
      caFiles: [parts.caFile],
      connectTo: [{ host, address: "127.0.0.1", port: parts.server.port }],
      insecureTls: false,
      insecureHttp: false,
      deadlines: { connect: 10_000, idle: 10_000, document: 10_000 },
      log: silentLog,
    });
  }

  /** A new one: an empty store, and a key that is trusted for everything below `example.com`. */
  static async open(): Promise<FetchWorld> {
    const { path: directory, remove } = await makeTemporary();
    credentials ??= makeCredentials();
    const { authority, certificate, key } = await credentials;
    const server = await startServer(certificate);
    const store = await openStore(join(directory, "data"));
    mkdirSync(join(directory, "config"));
    await storeTrustedKey(join(directory, "config"), { prefix: host }, key.armored);
    const tag = FetchWorld.page;
    server.on("/?ac-discovery=1", { body: tag });
    return new FetchWorld({ directory, store, server, key, caFile: authority.caFile, remove });
  }

  /** What the site says about its images. */
  static readonly page =
    `<meta name="ac-discovery" content="${host} https://${host}/images/{name}-{version}-{os}-{arch}.{ext}">`;

  async close(): Promise<void> {
    await this.server.close();
    await this.#remove();
  }

  /** Puts an image where discovery of its name (and version, else `latest`) leads. */
  async publish(spec: ImageSpec, options: PublishOptions = {}): Promise<MadeImage> {
    const image = makeImage(spec);
    const { served, signedAt } = options;
    const path = options.at ?? this.pathOf(options.as ?? spec.name, spec.version);
    this.server.on(path, served === undefined ? { body: image.bytes } : versioned(image.bytes, served));
    if (options.key !== "none") {
      const signature = await craft(options.key ?? this.key, image.bytes, signedAt && { created: signedAt });
      const whole = { ...served, brokenAt: [] };
      this.server.on(`${path}.asc`, served === undefined ? { body: signature } : versioned(signature, whole));
    }
    return image;
  }

  pathOf(name: string, version = "latest"): string {
    return `/images/${name}-${version}-linux-${arch}.aci`;
  }

  /** Writes an image, and its signature beside it, to files. */
  async writeImage(
    file: string,
    spec: ImageSpec,
    key: MadeKey | "none" = this.key,
  ): Promise<MadeImage & { path: string }> {
    const image = makeImage(spec);
    const path = join(this.directory, file);
    writeFileSync(path, image.bytes);
    if (key !== "none") writeFileSync(`${path}.asc`, await craft(key, image.bytes));
    return { ...image, path };
  }

  context(changes: Partial<FetchContext> = {}): FetchContext {
    return {
      store: this.store,
      http: async () => this.http,
      keystore: openKeystore({ directories: [join(this.directory, "config")] }),
      allowRollback: false,
      insecure: { image: false, http: false },
      now: () => now,
      keepOwners: process.getuid?.() === 0,
      log: silentLog,
      ...changes,
    };
  }

  async fetch(text: string, policy: PullPolicy = "update", changes: Partial<FetchContext> = {}): Promise<ImageRecord> {
    const [record] = await fetchClosure(this.context(changes), [{ reference: parseReference(text) }], policy);
    if (record === undefined) throw new Error("no record");
    return record;
  }

  /** Everything in the store: path → digest of the content (of files). Equal means byte-identical. */
  snapshot(): ReadonlyMap<string, string> {
    const entries = readdirSync(this.store.root, { recursive: true, withFileTypes: true });
    const files = entries.map((entry): [string, string] => {
      const path = join(entry.parentPath, entry.name);
      return [relative(this.store.root, path), entry.isFile() ? sha512(readFileSync(path)) : "directory"];
    });
    return new Map(files.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** A log that keeps its messages. */
export function keepingLog(): Log & { readonly messages: readonly string[] } {
  const messages: string[] = [];
  const keep = (message: string) => {
    messages.push(message);
  };
  return { messages, debug: keep, info: keep, warn: keep, progress: ({ task }) => keep(task) };
}
