/**
 * An ext4 file system on a loop device, whose disk can be looked at as it is at any instant: a copy of the backing file, mounted, is what a loss of
 * power would have left, after the kernel's own recovery. In a mount namespace of its own, so that whatever ends this process, no mount and no
 * device stays. Root only.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

function must(argv: readonly string[]): string {
  const [command = "", ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return stdout.trim();
  throw new Error(`${argv.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

export class Disk {
  readonly path: string;
  readonly #home: string;

  private constructor(home: string) {
    this.#home = home;
    this.path = join(home, "disk");
  }

  /** The caller is in a mount namespace of its own. @throws Error what is missing here */
  static open(): Disk {
    // Named after whoever started this process and looks for what is left of it (helpers/leak-check.ts).
    const disk = new Disk(mkdtempSync(join(tmpdir(), `perigee-e2e-${process.ppid}-`)));
    try {
      const image = join(disk.#home, "image");
      must(["truncate", "--size", "192M", image]);
      must(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image]);
      // Written back only when something asks for it: what was not synced is on no disk.
      disk.#mount(image, disk.path, "commit=300");
      return disk;
    } catch (error) {
      disk.close();
      throw error;
    }
  }

  /** Everything so far is on the disk. */
  sync(): void {
    must(["sync", "--file-system", this.path]);
  }

  /** What `use` makes of `path`, which lies on the disk, as it would be after a loss of power now. */
  afterCrash<T>(path: string, use: (path: string) => T): T {
    const [copy, mounted] = [join(this.#home, "copy"), join(this.#home, "crashed")];
    must(["cp", "--sparse=always", join(this.#home, "image"), copy]);
    this.#mount(copy, mounted, "commit=300");
    try {
      return use(join(mounted, relative(this.path, path)));
    } finally {
      must(["umount", mounted]);
      rmSync(copy);
    }
  }

  #mount(image: string, at: string, options: string): void {
    mkdirSync(at, { recursive: true });
    const device = must(["losetup", "--direct-io=on", "--find", "--show", image]);
    try {
      must(["mount", "-t", "ext4", "-o", options, device, at]);
    } finally {
      // The device goes with its last user: the mount, or nobody.
      must(["losetup", "--detach", device]);
    }
  }

  close(): void {
    spawnSync("umount", [this.path]);
    rmSync(this.#home, { recursive: true, force: true });
  }
}
