import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import { clearCloexec, execve, flock, hasXattr, lookAtSocket } from "../../src/shim/libc.ts";
import { temporaryDirectory } from "../helpers/temporary.ts";

const compiled = resolve("build/src/shim/libc.js");

/** Another Node that imports src/shim/libc and does `script`. */
const inNode = (script: string) =>
  spawnSync(
    process.execPath,
    ["--input-type=module", "-e", `import * as libc from ${JSON.stringify(compiled)}; ${script}`],
    {
      encoding: "utf8",
      timeout: 60_000,
    },
  );

describe("flock", () => {
  it("names the error of a descriptor that is none", () => {
    assert.throws(
      () => flock(-1, "shared", false),
      (error) => error instanceof Failure && error.code === "IO_FAILED" && error.cause === "EBADF",
    );
  });
});

describe("execve", () => {
  it("becomes the program, with these arguments, this environment and the descriptors that were cleared", () => {
    const script = `
      import { openSync } from "node:fs";
      const fd = openSync("/etc/hostname", "r");
      libc.clearCloexec(fd);
      for (const n of [0, 1, 2]) libc.clearCloexec(n);
      libc.execve("/bin/sh", ["name", "-c", "echo $0 $1 $A; test -e /proc/$$/fd/" + fd + " && echo open; exit 7", "zero", "one two"], ["A=b c"]);
      console.log("not reached");`;
    const { status, stdout } = inNode(script);
    assert.deepEqual([status, stdout], [7, "zero one two b c\nopen\n"]);
  });

  it("a program that is not there, or cannot be executed, is a Failure", () => {
    const code = (path: string): string | undefined => {
      try {
        execve(path, ["x"], []);
      } catch (error) {
        return error instanceof Failure ? error.code : undefined;
      }
    };
    assert.equal(code("/nowhere/at/all"), "EXEC_NOT_FOUND");
    assert.equal(code("/etc/hostname"), "NOT_EXECUTABLE");
  });
});

describe("clearCloexec", () => {
  it("refuses a descriptor that is none", () => {
    const fd = openSync("/dev/null", "r");
    clearCloexec(fd);
    closeSync(fd);
    assert.throws(
      () => clearCloexec(-1),
      (error) => error instanceof Failure && error.cause === "EBADF",
    );
  });
});

describe("hasXattr", () => {
  it("of the file itself, whatever bytes its name has; a link is not followed", async (context) => {
    const directory = Buffer.from(`${await temporaryDirectory(context)}/`);
    const [file, link] = [
      Buffer.concat([directory, Buffer.from([0x66, 0xff])]),
      Buffer.concat([directory, Buffer.from("link")]),
    ];
    writeFileSync(file, "");
    symlinkSync(file, link);
    // The name is no text, so the shell finds it.
    spawnSync("sh", ["-c", "setfattr -n user.mark -v y f*"], { cwd: directory.toString() });
    assert.deepEqual(
      [hasXattr(file, "user.mark"), hasXattr(file, "user.other"), hasXattr(link, "user.mark")],
      [true, false, false],
    );
    assert.equal(hasXattr(Buffer.from("/nonexistent"), "user.mark"), false);
  });
});

describe("parseAuthoritiesBeside", () => {
  it("ends well, several at once too, and contexts of TLS are made as without it", () => {
    const script = `
      import tls from "node:tls";
      await Promise.all([1, 2, 3].map(() => libc.parseAuthoritiesBeside()));
      tls.createSecureContext().context.addCACert(tls.rootCertificates[0]);
      console.log(tls.rootCertificates.length > 100);`;
    const { status, stdout } = inNode(script);
    assert.deepEqual({ status, stdout }, { status: 0, stdout: "true\n" });
  });
});

describe("koffi", () => {
  it("is not loaded by importing this module, only by the first call", () => {
    const loaded = 'process.report.getReport().sharedObjects.some((path) => path.endsWith("/koffi.node"))';
    const script = `const before = ${loaded}; try { libc.flock(-1, "shared", false) } catch {} console.log(before, ${loaded});`;
    assert.equal(inNode(script).stdout, "false true\n");
  });
});

describe("lookAtSocket", () => {
  it("says what is bound where, and nothing of what is no socket", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
    const address = server.address();
    const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
    assert.deepEqual(lookAtSocket(fd), { kind: "tcp", port: Object(address).port });
    server.close();
    const file = openSync("/dev/null", "r");
    assert.equal(lookAtSocket(file), undefined);
    assert.equal(lookAtSocket(-1), undefined);
    closeSync(file);
  });
});
