import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { appEnvironment, mergeEnvironment, parseEnvironmentFile, parseVariable } from "../../src/pod/environment.ts";
import { fails } from "../helpers/failures.ts";

const root = { uid: 0, gid: 0, groups: [0] };

describe("mergeEnvironment (architecture 16)", () => {
  it("inherited < image < file < set < app", () => {
    const layer = (value: string, ...names: string[]) => names.map((name) => [name, value] as const);
    const merged = mergeEnvironment({
      inherited: new Map(layer("inherited", "A", "B", "C", "D", "E")),
      image: layer("image", "B", "C", "D", "E"),
      file: layer("file", "C", "D", "E"),
      set: layer("set", "D", "E"),
      app: layer("app", "E"),
    });
    assert.deepEqual(Object.fromEntries(merged), { A: "inherited", B: "image", C: "file", D: "set", E: "app" });
  });

  it("LIFE-84: what a service manager says to its program is not inherited", () => {
    const words = [
      "NOTIFY_SOCKET",
      "LISTEN_FDS",
      "LISTEN_PID",
      "LISTEN_FDNAMES",
      "WATCHDOG_USEC",
      "WATCHDOG_PID",
      "OK",
    ];
    const inherited = new Map(words.map((name) => [name, "1"]));
    assert.deepEqual(mergeEnvironment({ inherited, image: [] }), [["OK", "1"]]);
  });

  it("TRUST-33: the passphrase of a signing key is not inherited; who sets it means it", () => {
    const inherited = new Map([
      ["PERIGEE_PASSPHRASE", "secret"],
      ["PERIGEE_PASSPHRASES", "1"],
    ]);
    assert.deepEqual(mergeEnvironment({ inherited, image: [] }), [["PERIGEE_PASSPHRASES", "1"]]);
    const set = [["PERIGEE_PASSPHRASE", "meant"]] as const;
    assert.deepEqual(mergeEnvironment({ inherited: new Map(), image: [], set }), set);
  });

  it("inherits only names that appc allows: no exported shell functions", () => {
    const inherited = new Map([
      ["BASH_FUNC_x%%", "() { :; }"],
      ["OK", "1"],
      ["1BAD", "2"],
    ]);
    assert.deepEqual(mergeEnvironment({ inherited, image: [] }), [["OK", "1"]]);
  });
});

describe("appEnvironment (ACE-19, ACE-23)", () => {
  it("T-R07: is exactly this for root and an app without variables", () => {
    assert.deepEqual(Object.fromEntries(appEnvironment([], { name: "web", user: root })), {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      SHELL: "/bin/sh",
      USER: "root",
      LOGNAME: "root",
      AC_APP_NAME: "web",
      container: "perigee",
    });
  });

  it("HOME, USER and SHELL are the resolved user's; a number without a line has no name", () => {
    const named = { uid: 7, gid: 7, groups: [7], name: "web", home: "/srv", shell: "/bin/ash" };
    const of = (user: typeof named | typeof root) => Object.fromEntries(appEnvironment([], { name: "a", user }));
    assert.deepEqual([of(named)["HOME"], of(named)["USER"], of(named)["SHELL"]], ["/srv", "web", "/bin/ash"]);
    const nobody = of({ uid: 7, gid: 7, groups: [7] });
    assert.deepEqual([nobody["HOME"], "USER" in nobody, "LOGNAME" in nobody], ["/", false, false]);
  });

  it("the app's own variables win, but for AC_APP_NAME and container", () => {
    const own = ["PATH", "HOME", "TERM", "AC_APP_NAME", "container"].map((name) => ({ name, value: "mine" }));
    const environment = Object.fromEntries(appEnvironment(own, { name: "web", user: root, term: "xterm" }));
    assert.deepEqual([environment["PATH"], environment["HOME"], environment["TERM"]], ["mine", "mine", "mine"]);
    assert.deepEqual([environment["AC_APP_NAME"], environment["container"]], ["web", "perigee"]);
  });

  it("TERM only with a terminal", () => {
    const names = (term: string | undefined) =>
      appEnvironment([], { name: "a", user: root, term }).map(([name]) => name);
    assert.ok(names("xterm").includes("TERM"));
    assert.ok(!names(undefined).includes("TERM"));
  });
});

describe("parseVariable", () => {
  it("keeps everything behind the first =", () => assert.deepEqual(parseVariable("A.b-c=x=y\n "), ["A.b-c", "x=y\n "]));

  for (const text of ["", "A", "=x", "1A=x", "A B=x", "A\0=x", "A=\0", "-A=x"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseVariable(text), fails("USAGE")));
  }
});

describe("parseEnvironmentFile", () => {
  it("passes over blank lines and comments", () => {
    const text = "# one\n; two\n\nA=1\r\n  \nB=a # not a comment\nC=\n";
    assert.deepEqual(parseEnvironmentFile(text, "f"), [
      ["A", "1"],
      ["B", "a # not a comment"],
      ["C", ""],
    ]);
  });

  it("names the line of a variable that is set twice, or of something else", () => {
    assert.throws(() => parseEnvironmentFile("A=1\n\nA=2\n", "f.env"), fails("USAGE", /f\.env:3: A is set twice/));
    assert.throws(() => parseEnvironmentFile("A=1\nwhat\n", "f.env"), fails("USAGE", /f\.env:2: what/));
  });
});
