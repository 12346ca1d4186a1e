import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodePlan } from "../../src/shim/plan.ts";
import { fileScratch, makePod, type PodDirectory, runPod, shim } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

interface Session {
  readonly child: ChildProcess;
  output(): string;
  until(text: string): Promise<void>;
  readonly ended: Promise<string>;
}

/** The shim on a terminal of its own, made by script(1), which also says how the terminal was left. */
async function onTerminal(pod: PodDirectory, prelude = "true", after = "true"): Promise<Session> {
  await writeFile(join(pod.path, "plan"), encodePlan(pod.plan));
  await writeFile(
    join(pod.path, "session"),
    `${prelude}; exec 3<plan 4>events 5<.; before=$(stty -g); ${shim} run 3 4 5; echo "status=$?"; [ "$before" = "$(stty -g)" ] && echo restored; ${after}\n`,
  );
  const child = spawn("script", ["--quiet", "--return", "--command", "sh ./session", "/dev/null"], {
    cwd: pod.path,
    stdio: "pipe",
  });
  let text = "";
  const waiters = new Set<() => void>();
  child.stdout.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    for (const waiter of waiters) waiter();
  });
  const ended = new Promise<string>((resolve) => child.on("close", () => resolve(text)));
  const until = (wanted: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!text.includes(wanted)) return;
        waiters.delete(look);
        resolve();
      };
      waiters.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without ${wanted}: ${text}`)));
    });
  return { child, output: () => text, until, ended };
}

const app = { terminal: true } as const;

describe("a terminal", () => {
  for (const user of [true, false]) {
    it(`is a new one of the pod's own devpts, controlling, and /dev/console (T-R06, T-R13), user namespace ${user}`, async () => {
      const session = await onTerminal(
        await makePod(scratch, { app, command: ["/guest", "tty"], user }),
        "stty cols 91 rows 33",
      );
      const text = await session.ended;
      for (const number of [0, 1, 2]) assert.match(text, new RegExp(`tty\\.${number}=/dev/pts/0\\r`));
      assert.match(text, /size=91x33/);
      assert.match(text, /controlling=1/);
      assert.match(text, /console=20000:136/);
      assert.match(text, /status=0\r\nrestored/);
    });
  }
  it("passes what is typed, ^C included, to the app; the caller's is raw meanwhile and then as it was", async () => {
    const session = await onTerminal(await makePod(scratch, { app, command: ["/guest", "cat"] }));
    session.child.stdin?.write("typed\r");
    await session.until("typed\r\ntyped\r\n");
    session.child.stdin?.write("\u0003");
    const text = await session.ended;
    assert.match(text, /status=130\r\nrestored/);
  });
  it("is restored when the app is killed, and when the program cannot be executed", async () => {
    const killed = await onTerminal(await makePod(scratch, { app, command: ["/guest", "signal", "9"] }));
    assert.match(await killed.ended, /status=137\r\nrestored/);
    const missing = await onTerminal(await makePod(scratch, { app, command: ["/missing"] }));
    assert.match(await missing.ended, /status=127\r\nrestored/);
  });
  it("ends with ^D when the caller's input, which is none, ends; its output is not logged", async () => {
    const { status, stdout, pod } = await runPod(scratch, {
      app: { ...app, log: { path: "main/log", bytes: 65536, files: 1 } },
      command: ["/guest", "cat"],
    });
    assert.equal(status, 0);
    assert.equal(stdout, "");
    assert.equal(existsSync(join(pod.path, "main/log")), false);
  });
  it("follows the size of the caller's", async () => {
    const pod = await makePod(scratch, { app, command: ["/guest", "wait"] });
    const resize = "(while [ ! -e go ]; do :; done; stty cols 77 rows 22 < /dev/tty) &";
    const session = await onTerminal(pod, `stty cols 91 rows 33; ${resize} true`);
    await session.until("waiting");
    await writeFile(join(pod.path, "go"), "");
    await session.until("signal=WINCH");
    process.kill(Number((await readFile(join(pod.path, "pid"), "utf8")).split(" ")[0]), "SIGTERM");
    assert.match(await session.ended, /status=40/);
  });
  it("belongs to the app's user", async () => {
    const session = await onTerminal(
      await makePod(scratch, { app: { ...app, uid: 1000, gid: 1000 }, command: ["/guest", "stat", "/dev/pts/0"] }),
    );
    assert.match(await session.ended, /path\.\/dev\/pts\/0=020620,1000,5,/);
  });
  it("keys that the app pushes into it do not reach the caller's (T-R06)", async () => {
    const pod = await makePod(scratch, {
      app: { ...app, capabilities: ["CAP_SYS_ADMIN"], noNewPrivileges: false },
      command: ["/guest", "try", "tiocsti"],
      user: false,
    });
    // What lies in the caller's terminal when the pod is gone would be the next command of a shell.
    const session = await onTerminal(pod, "true", "stty -icanon min 0 time 5; echo keys=$(head -c 100 | wc -c)");
    const text = await session.ended;
    assert.match(text, /try\.tiocsti=/);
    assert.match(text, /keys=0\r/);
  });
  it("is left raw by a kill -9 of the supervisor, which nobody could put back; the pod ends all the same", async () => {
    const pod = await makePod(scratch, { app, command: ["/guest", "wait"] });
    const session = await onTerminal(pod, "true", "stty sane; echo mended");
    await session.until("waiting");
    const [init = 0, , supervisor = 0] = (await readFile(join(pod.path, "pid"), "utf8")).split(" ").map(Number);
    process.kill(supervisor, "SIGKILL");
    const text = await session.ended;
    assert.match(text, /status=137/);
    assert.doesNotMatch(text, /restored/);
    assert.match(text, /mended\r/);
    while (
      existsSync(`/proc/${init}/stat`) &&
      !/ Z /.test(await readFile(`/proc/${init}/stat`, "utf8").catch(() => " Z "))
    ) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  it("needs a devpts", async () => {
    const { status, events } = await runPod(scratch, { app: { ...app, mounts: [] } });
    assert.deepEqual([status, events[0]?.["step"]], [125, "terminal"]);
  });
});

describe("an app without a terminal", () => {
  it("does not get the caller's: it is copied, so that TIOCSTI cannot reach it (T-R06)", async () => {
    const session = await onTerminal(
      await makePod(scratch, {
        command: ["/guest", "try", "tiocsti"],
        user: false,
        app: { capabilities: ["CAP_SYS_ADMIN"] },
      }),
    );
    assert.match(await session.ended, /try\.tiocsti=ENOTTY/);
    const plain = await onTerminal(await makePod(scratch, { command: ["/guest", "tty"] }));
    assert.match(await plain.ended, /tty\.0=no\r\ntty\.1=no\r\ntty\.2=no\r\n(.*\r\n)*controlling=0/);
  });
});
