/** What the supervisor writes to an app's log: records that nothing the app writes can make or break (SHIM-20…29). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LineJoiner, type LogLine } from "../../src/pod/log-lines.ts";
import { LogReader } from "../../src/pod/log-reader.ts";
import { LogParser, type LogRecord, type LostRecord } from "../../src/pod/log-records.ts";
import { loggedBytes, record } from "../helpers/logs.ts";
import { fileScratch, makePod, type PodDirectory, type PodOptions, startPod } from "../helpers/shim-pod.ts";

const scratch = fileScratch();

const log = { path: "logs/main", bytes: 1 << 20, files: 3 };

async function run(command: readonly string[], options: PodOptions = {}): Promise<PodDirectory> {
  const pod = await makePod(scratch, {
    command: ["/guest", ...command],
    app: { log },
    plan: { foreground: false },
    ...options,
  });
  const { status, stdout } = await (await startPod(pod)).ended;
  assert.deepEqual([status, stdout], [0, ""]);
  return pod;
}

const fileOf = (pod: PodDirectory): string => join(pod.path, log.path);
const recordsOf = (pod: PodDirectory): (LogRecord | LostRecord)[] => new LogParser().parse(readFileSync(fileOf(pod)));

function linesOf(pod: PodDirectory): readonly LogLine[] {
  const joiner = new LineJoiner();
  const lines = recordsOf(pod).map((one) => ("lostBytes" in one ? undefined : joiner.add(one)));
  return [...lines.filter((line) => line !== undefined), ...joiner.flush()];
}

/** A file that the app prints, at once or in parts as the pipe takes it. */
function content(name: string, text: string | Buffer): readonly string[] {
  writeFileSync(join(scratch.rootfs, name), text, { mode: 0o644 });
  return ["cat", `/${name}`];
}

describe("the log of an app", () => {
  it("SHIM-20: every line has a time, between the start and the end of the pod, and its stream", async () => {
    const started = new Date().toISOString();
    const pod = await run(["echo", "out", ",", "error", "err", ",", "echo", "again"]);
    const ended = new Date().toISOString();
    const lines = linesOf(pod);
    assert.deepEqual(lines.map(({ stream, bytes, isEnd }) => `${stream} ${bytes} ${isEnd}`).sort(), [
      "stderr err true",
      "stdout again true",
      "stdout out true",
    ]);
    for (const { time } of lines) {
      assert.ok(
        time.slice(0, 23) >= started.slice(0, 23) && time.slice(0, 23) <= ended.slice(0, 23),
        `${started} ${time} ${ended}`,
      );
      assert.ok(time.length === 30 && !Number.isNaN(Date.parse(time)), time);
    }
  });

  it("SHIM-21: an app that prints records makes lines of them, and no second record or other time", async () => {
    const forged = [
      record(0, "e", "forged"),
      "+forged\n",
      "-forged\n",
      record(1, "!", "7"),
      "\n\n",
      record(2, "O", "x"),
    ].join("");
    const pod = await run(content("forged", `${forged}${forged}`));
    const records = recordsOf(pod);
    assert.ok(loggedBytes(fileOf(pod)).equals(Buffer.from(`${forged}${forged}`)));
    assert.ok(records.every((one) => !("lostBytes" in one) && one.stream === "stdout" && one.time > "2026-02"));
  });

  for (const [what, bytes] of [
    ["lines of all lengths", Buffer.from(Array.from({ length: 3000 }, (_, n) => `${"x".repeat(n % 70)}\n`).join(""))],
    ["one line longer than everything that is read at once", Buffer.from(`${"x".repeat(50_000)}\n`)],
    ["empty lines", Buffer.from("\n".repeat(20_000))],
    ["all bytes, and no end", Buffer.from(Array.from({ length: 9999 }, (_, n) => n % 251))],
    ["one byte", Buffer.from("x")],
  ] as const) {
    it(`SHIM-23: keeps every byte: ${what}`, async () => {
      const pod = await run(content("bytes", bytes));
      const lines = linesOf(pod).map((line) => Buffer.concat([line.bytes, Buffer.from(line.isEnd ? "\n" : "")]));
      assert.ok(Buffer.concat(lines).equals(bytes));
      assert.equal(linesOf(pod).at(-1)?.isEnd, bytes.at(-1) === 0x0a);
    });
  }

  it("SHIM-24: a batch is one write; a line costs a byte beside its own, and the time is told once in a batch", async () => {
    const pod = await run(content("short", "y\n".repeat(100_000)));
    const heads = readFileSync(fileOf(pod), "latin1").match(/^\d{4}-/gm)?.length ?? 0;
    assert.equal(statSync(fileOf(pod)).size, 200_000 + 100_000 + heads * 32);
    assert.ok(heads <= 200_000 / 2048, `${heads}`);
  });

  it("SHIM-25: is rotated between batches: no record is cut, no file too large, and the newest are kept", async () => {
    const bytes = 16_384;
    const app = { log: { ...log, bytes } };
    const text = Array.from({ length: 50_000 }, (_, n) => `${n}\n`).join("");
    const pod = await run(content("many", text), { app });
    const directory = join(pod.path, "logs");
    assert.deepEqual((await readdir(directory)).sort(), ["main", "main.1", "main.2"]);
    for (const name of ["main", "main.1", "main.2"]) {
      assert.ok(statSync(join(directory, name)).size <= bytes);
      assert.match(readFileSync(join(directory, name), "latin1"), /^\d{4}-[\s\S]*\n$/);
    }
    const reader = LogReader.open(directory, "main");
    assert.ok(reader);
    let kept = "";
    const joiner = new LineJoiner();
    for (let block = reader.read(); block !== undefined; block = reader.read()) {
      for (const one of new LogParser().parse(block.bytes)) {
        const line = "lostBytes" in one ? undefined : joiner.add(one);
        if (line !== undefined) kept += `${line.bytes}\n`;
      }
    }
    reader.close();
    assert.ok(kept.length > bytes && text.endsWith(kept.slice(kept.indexOf("\n") + 1)));
  });

  it("SHIM-26: says how much there was no room for, once there is room again", async () => {
    const disk = join(scratch.directory, "small");
    execFileSync("mkdir", [disk]);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=755", "perigee-test", disk]);
    try {
      const pod = await makePod({ ...scratch, directory: disk }, { command: ["/guest", "cat"], app: { log } });
      const running = await startPod(pod);
      const print = async (text: string): Promise<void> => {
        running.stdin.write(text);
        await running.output(text.slice(-20));
      };
      await print(`${"before\n".repeat(3)}it is full now, soon\n`);
      try {
        execFileSync("dd", ["if=/dev/zero", `of=${join(disk, "filler")}`, "bs=4096"], { stdio: "ignore" });
      } catch {
        // It is full now.
      }
      // More than what is left of the log's last page.
      const text = `${"without room\n".repeat(1000)}and the last without\n`;
      await print(text);
      rmSync(join(disk, "filler"));
      await print("there is room again!\n");
      running.stdin.end();
      await running.ended;
      const records = recordsOf(pod);
      const lost = records.filter((one) => "lostBytes" in one).map((one) => one.lostBytes);
      const kept = records.map((one) => ("lostBytes" in one ? "" : `${one.bytes}${one.isWhole ? "\n" : ""}`)).join("");
      assert.equal(lost.length, 1);
      assert.match(kept, /^before\n[\s\S]*soon\n[\s\S]*there is room again!\n$/);
      const all = `${"before\n".repeat(3)}it is full now, soon\n${text}there is room again!\n`;
      assert.equal(kept.length + (lost[0] ?? 0), all.length);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  it("SHIM-27: an app's terminal is not logged, and the caller's output has no records in it", async () => {
    const pod = await makePod(scratch, { command: ["/guest", "echo", "plain"], app: { log } });
    const { stdout } = await (await startPod(pod)).ended;
    assert.equal(stdout, "plain\n");
    const other = await makePod(scratch, { command: ["/guest", "echo", "plain"], app: { log, terminal: true } });
    await (await startPod(other)).ended;
    assert.throws(() => readFileSync(fileOf(other)), { code: "ENOENT" });
  });
});
