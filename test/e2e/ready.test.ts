/** LIFE-80 to LIFE-84, SHIM-32: readiness by sd_notify, from the app to whoever waits for it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endPods, guestImage, guestWork } from "../helpers/guest-work.ts";
import { loggedText } from "../helpers/logs.ts";
import { Running, valuesOf } from "../helpers/program.ts";

const work = guestWork((work) => endPods(work));
const annotations = [{ name: "appc.io/executor/supports-systemd-notify", value: "true" }];
const sdnotify = "--sdnotify=container";

interface Shown {
  readonly state: string;
  readonly ready?: boolean;
  readonly directory: string;
  readonly apps: readonly { readonly ready?: boolean; readonly text?: string; readonly exitStatus?: number }[];
}
const status = (uuid: string, ...options: readonly string[]): Shown =>
  JSON.parse(work.must(["status", "--format", "json", ...options, uuid]));

/** A service manager: prints each datagram, `PID LINE LINE…`, that comes to its socket. */
function manager(address: string): Running {
  const script = `import socket,sys,struct
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET,socket.SO_PASSCRED,1)
a=sys.argv[1]
s.bind("\\0"+a[1:] if a[0]=="@" else a)
print("listening",flush=True)
while True:
    text,control,_,_=s.recvmsg(4096,1024)
    pid=struct.unpack("iII",control[0][2])[0]
    print(pid,text.decode().replace("\\n"," "),flush=True)`;
  return new Running(work.startCommand(["python3", "-c", script, address], "pipe"));
}

function startWith(environment: Readonly<Record<string, string>>, args: readonly string[]): ChildProcess {
  const [command = "", ...rest] = work.runLine(args);
  return spawn(command, rest, { env: { ...work.env, ...environment }, cwd: work.directory, stdio: "pipe" });
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

describe("a pod in the background", () => {
  it("LIFE-81: its uuid is printed when the app has said that it is ready, not before", () => {
    const words = [
      "notify",
      "STATUS=all is well",
      ",",
      "sleep",
      "1",
      ",",
      "write",
      "/before",
      "x",
      ",",
      "notify",
      "READY=1",
      ",",
      "wait",
    ];
    const uuid = work.run([sdnotify, "--detach", guestImage, "--", ...words]).stdout.trim();
    const shown = status(uuid);
    assert.deepEqual([shown.state, shown.ready, shown.apps[0]?.ready], ["running", true, true]);
    assert.equal(shown.apps[0]?.text, "all is well");
    assert.ok(existsSync(join(shown.directory, "apps", "guest", "upper", "before")));
    const lines = work.must(["status", uuid]).split("\n");
    assert.ok(
      ["ready=true", "app-guest.ready=true", "app-guest.text=all is well"].every((line) => lines.includes(line)),
    );
    assert.match(work.must(["status", "--wait-ready", uuid]), /^ready=true$/m);
    work.must(["stop", uuid]);
    assert.equal(status(uuid).ready, undefined);
  });

  it("LIFE-80: an image says that its app does, of a prepared pod too; --sdnotify=conmon does not wait for it", () => {
    const manifest = work.path("manifest.json");
    const image = "example.com/notifies";
    work.stored(image, {}, {});
    const patched = work.path("notifies.aci");
    work.must(["image", "cat-manifest", image]);
    const own = JSON.parse(work.must(["image", "cat-manifest", image]));
    work.command(["sh", "-c", `cat > ${manifest}`], { input: JSON.stringify({ ...own, annotations }) });
    work.must([
      "build",
      "--overwrite",
      "--manifest",
      manifest,
      "--rootfs",
      work.path("example.com-notifies-rootfs"),
      patched,
    ]);
    const options = ["--insecure-options=image"];
    const uuid = work.must([...options, "prepare", patched, "--", "notify", "READY=1", ",", "wait"]).trim();
    assert.deepEqual(JSON.parse(work.must(["cat-manifest", uuid])).apps[0].annotations, annotations);
    work.must([...options, "run-prepared", "--detach", uuid]);
    assert.equal(status(uuid).apps[0]?.ready, true);
    const other = work.run(["--sdnotify=conmon", "--detach", patched, "--", "env", ",", "wait"]).stdout.trim();
    assert.deepEqual([status(other).ready, status(other).apps[0]?.ready], [true, undefined]);
    const log = loggedText(join(status(other).directory, "logs", "notifies"));
    assert.doesNotMatch(log, /NOTIFY_SOCKET/);
    work.must(["stop", uuid, other]);
  });

  it("LIFE-83: one that is started again is waited for until it ends for good", () => {
    const line = [
      sdnotify,
      "--detach",
      guestImage,
      "--restart=on-failure:2",
      "--",
      "echo",
      "no luck",
      ",",
      "exit",
      "3",
    ];
    const failed = work.run(line);
    assert.match(failed.stderr, /error\[NOT_READY\]: guest ended with status 3 before it was ready/);
    const uuid = String(/\S+(?= shows where)/.exec(failed.stderr)?.[0]);
    assert.equal(loggedText(join(status(uuid).directory, "logs", "guest")).match(/no luck/g)?.length, 3);
  });

  it("LIFE-83: an app that ends before it is ready is a failure that says so, and what it printed is kept", () => {
    const file = work.path("uuid");
    const line = [
      sdnotify,
      "--detach",
      "--uuid-file-save",
      file,
      guestImage,
      "--",
      "echo",
      "no luck",
      ",",
      "exit",
      "0",
    ];
    const { status: code, stdout, stderr } = work.run(line);
    assert.deepEqual([code, stdout], [125, ""]);
    assert.match(stderr, /error\[NOT_READY\]: guest ended with status 0 before it was ready/);
    const uuid = readFileSync(file, "utf8").trim();
    const { state, directory } = status(uuid);
    assert.equal(state, "exited");
    assert.equal(loggedText(join(directory, "logs", "guest")), "no luck\n");
    const waited = work.perigee(["status", "--wait-ready", uuid]);
    assert.deepEqual([waited.status, waited.stdout], [1, ""]);
    assert.match(waited.stderr, /error\[NOT_READY\].*\n {2}cause: guest has not said READY=1, and ended with status 0/);
  });

  it("interrupted while it is waited for, it leaves nothing", async () => {
    const before = work.pods().length;
    const running = work.startRun([sdnotify, "--detach", guestImage, "--", "wait"]);
    const isRunning = () => work.pods().some(({ state, pid }) => state === "running" && pid !== undefined);
    for (let look = 0; look < 100 && !isRunning(); look++) await sleep(20);
    running.child.kill("SIGINT");
    assert.equal(await running.ended, 130);
    assert.match(running.stderr, /error\[INTERRUPTED\]/);
    assert.equal(work.pods().length, before);
  });
});

describe("a pod in the foreground, as a unit of a service manager", () => {
  it("LIFE-84, SHIM-32: the manager hears that it is ready when it is, from the process that it started", async () => {
    for (const address of [work.path("manager"), `@perigee-test-${process.pid}-manager`]) {
      const listening = manager(address);
      await listening.until(/listening/);
      const child = startWith({ NOTIFY_SOCKET: address }, [
        ...[sdnotify, "--inherit-env", guestImage, "--"],
        ...["env", ",", "notify", "READY=1", ",", "wait"],
      ]);
      const running = new Running(child);
      await listening.until(/READY=1/);
      await running.until(/waiting/);
      assert.match(listening.stdout, new RegExp(`^${child.pid} READY=1 MAINPID=${child.pid} $`, "m"));
      assert.deepEqual(valuesOf(running.stdout, "env.NOTIFY_SOCKET"), ["/dev/notify"], "never the manager's own");
      await end(child);
      await end(listening.child);
    }
  });

  it("is told nothing of a pod that is not, nor with --sdnotify=ignore; a manager that is gone keeps no pod", async () => {
    const address = work.path("silent");
    const listening = manager(address);
    await listening.until(/listening/);
    const NOTIFY_SOCKET = address;
    const unready = new Running(startWith({ NOTIFY_SOCKET }, [sdnotify, guestImage, "--", "wait"]));
    const ignored = new Running(startWith({ NOTIFY_SOCKET }, ["--sdnotify=ignore", guestImage, "--", "wait"]));
    const orphan = new Running(startWith({ NOTIFY_SOCKET: work.path("none") }, [guestImage, "--", "wait"]));
    for (const running of [unready, ignored, orphan]) await running.until(/waiting/);
    for (const running of [unready, ignored, orphan]) await end(running.child);
    assert.doesNotMatch(listening.stdout, /READY/);
    await end(listening.child);
  });
});
