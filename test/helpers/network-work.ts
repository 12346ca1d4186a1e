/** What the tests of a file about networks begin and end with: busybox as an image, a host of their own, and nothing left behind. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { assertNothingLeft, leakSnapshot } from "./leak-check.ts";
import { NetworkHost } from "./network-host.ts";
import { Workspace } from "./program.ts";

export const boxImage = "example.com/box";
/** App flags that make the image run a line of shell. */
export const shell = (line: string): readonly string[] => [boxImage, "--exec", "/bin/sh", "--", "-c", line];
/** A line that serves `text` by HTTP. */
export const serving = (text: string): string => `echo ${text} > /index.html; exec httpd -f -p 80 -h /`;

export class NetworkWork {
  readonly work = new Workspace();
  #host: NetworkHost | undefined;

  get host(): NetworkHost {
    assert.ok(this.#host !== undefined, "a host is there when tests run");
    return this.#host;
  }

  /** Puts busybox, under the names that tests use, into a rootfs. */
  static busybox(this: void, rootfs: string): void {
    const busybox = ["/bin/busybox", "/usr/bin/busybox"].find(existsSync) ?? "";
    mkdirSync(join(rootfs, "bin"), { recursive: true });
    copyFileSync(busybox, join(rootfs, "bin", "busybox"));
    for (const name of ["sh", "ip", "wget", "httpd", "cat", "sleep", "echo", "grep", "seq"]) {
      symlinkSync("busybox", join(rootfs, "bin", name));
    }
  }

  async open(): Promise<void> {
    this.work.stored(boxImage, { exec: ["/bin/sh"], user: "0", group: "0" }, {}, NetworkWork.busybox);
    this.#host = await NetworkHost.start(this.work);
  }

  /** A configuration in net.d. */
  define(file: string, document: unknown): void {
    const directory = this.work.path("etc", "net.d");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, file), typeof document === "string" ? document : JSON.stringify(document));
  }

  /** The addresses of a running pod, by family, from its own files. */
  addressesOf(pod: string): { readonly ipv4: string; readonly ipv6: string } {
    const result = JSON.parse(this.host.must(["cat", `${this.work.data}/pods/run/${pod}/net/result-0`])) as {
      readonly ips: readonly { readonly address: string }[];
    };
    const all = result.ips.map(({ address }) => address.split("/")[0] ?? "");
    return { ipv4: all.find((ip) => !ip.includes(":")) ?? "", ipv6: all.find((ip) => ip.includes(":")) ?? "" };
  }

  /** Ends every pod and collects them; returns what is left of the host's state. */
  clear(): string {
    const running = this.work.pods().filter(({ state }) => state === "running");
    if (running.length > 0) this.host.perigee(["stop", "--force", ...running.map(({ uuid }) => uuid)]);
    this.collect();
    return this.host.state();
  }

  /** gc in the host, which must succeed. */
  collect(): void {
    const { status, stdout, stderr } = this.host.perigee(["gc", "--grace-period=0s"]);
    assert.equal(status, 0, stdout + stderr);
  }

  async close(): Promise<void> {
    this.clear();
    await this.#host?.close();
    await this.work.close();
  }
}

export function networkWork(): NetworkWork {
  const scene = new NetworkWork();
  const clean = leakSnapshot();
  before(() => scene.open());
  after(async () => {
    await scene.close();
    await assertNothingLeft(clean);
  });
  return scene;
}
