/** The metadata service as apps meet it (ACE-60…66, V10…V17), started by the pods that ask, and by hand. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { guestImage, guestWork } from "../helpers/guest-work.ts";
import { imageManifest, valuesOf } from "../helpers/program.ts";

const work = guestWork();
const ways: readonly (readonly string[])[] = [[], ["--private-users=no"], ["--net=host"]];
const annotated = "example.com/annotated";
const ofImage = [
  { name: "a", value: "of the image" },
  { name: "b/c", value: "kept" },
];
before(() => {
  const [manifest, image] = [work.path("annotated.json"), work.path("annotated.aci")];
  writeFileSync(manifest, JSON.stringify({ ...imageManifest(annotated, { exec: ["/guest"] }), annotations: ofImage }));
  work.must(["build", "--manifest", manifest, "--rootfs", work.rootfs("annotated"), image]);
  work.must(["--insecure-options=image", "fetch", image]);
});

const api = "acMetadata/v1";
const get = (path: string): readonly string[] => ["ask", "GET", `${api}/${path}`, ","];
const answerOf = (stdout: string, method: string, path: string) => {
  const of = (what: string): string => valuesOf(stdout, `${method}.${api}/${path}.${what}`)[0] ?? "";
  return {
    status: Number(of("status")),
    type: of("type"),
    body: of("body").replaceAll("\v", "\n"),
    time: Number(of("time")),
  };
};

function output(args: readonly string[]): string {
  const { status, stdout, stderr } = work.run(args);
  assert.equal(status, 0, stderr + stdout);
  return stdout;
}

const directory = (): string => join(work.data, "metadata");

/** Until the service that a pod started has ended, being idle. */
async function idle(): Promise<void> {
  for (let tries = 0; tries < 600 && existsSync(join(directory(), "socket")); tries++) await sleep(100);
  assert.ok(!existsSync(join(directory(), "socket")), "an idle service ends");
}

describe("a pod that asks who it is", () => {
  for (const way of ways) {
    it(`V10 to V17: ACE-60, ACE-61, ACE-62, ACE-63, ACE-64 and ACE-66 hold, ${way.join(" ") || "by default"}`, () => {
      const paths = ["pod/manifest", "pod/uuid", "pod/annotations", "apps/one/image/manifest", "apps/one/image/id"];
      const words = [...paths, "apps/one/annotations", "apps/one/annotations/b/c", "pod/annotations/none"].flatMap(get);
      const song = "content=Old%20MacDonald+Had+A+Farm";
      const stdout = output([
        ...[
          "--mds-register",
          ...way,
          annotated,
          "--name",
          "one",
          "--annotation",
          "a=of the app",
          "--annotation",
          "z=new",
        ],
        ...["--", "env", ",", ...words, "ask", "POST", `${api}/pod/hmac/sign`, song],
      ]);
      const [url = ""] = valuesOf(stdout, "env.AC_METADATA_URL");
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/, "V10");
      const manifest = answerOf(stdout, "GET", "pod/manifest");
      assert.deepEqual([manifest.status, manifest.type], [200, "application/json"], "V11");
      const described = JSON.parse(manifest.body);
      const uuid = answerOf(stdout, "GET", "pod/uuid");
      assert.deepEqual([uuid.status, uuid.type], [200, "text/plain; charset=us-ascii"], "V12");
      assert.deepEqual(JSON.parse(work.must(["cat-manifest", uuid.body])), described);
      assert.deepEqual(
        JSON.parse(answerOf(stdout, "GET", "pod/annotations").body),
        described.annotations ?? null,
        "V13",
      );
      const image = answerOf(stdout, "GET", "apps/one/image/manifest");
      assert.deepEqual([image.type, JSON.parse(image.body).name], ["application/json", annotated], "V14");
      const id = answerOf(stdout, "GET", "apps/one/image/id");
      assert.deepEqual([id.type, id.body], ["text/plain; charset=us-ascii", described.apps[0].image.id], "V15");
      const merged = JSON.parse(answerOf(stdout, "GET", "apps/one/annotations").body);
      const expected = [{ name: "a", value: "of the app" }, ofImage[1], { name: "z", value: "new" }];
      assert.deepEqual(merged, expected, "V16, ACE-62");
      assert.equal(answerOf(stdout, "GET", "apps/one/annotations/b/c").body, "kept");
      assert.equal(answerOf(stdout, "GET", "pod/annotations/none").status, 404);
      const signed = answerOf(stdout, "POST", "pod/hmac/sign");
      assert.deepEqual([signed.status, signed.type], [200, "text/plain; charset=us-ascii"], "V17");
      assert.equal(Buffer.from(signed.body, "base64").length, 64, "ACE-63");
      const form = new URLSearchParams({ uuid: uuid.body, signature: signed.body });
      const other = output([
        ...["--mds-register", ...way, guestImage, "--", "ask", "POST", `${api}/pod/hmac/verify`, `${song}&${form}`],
      ]);
      const verdict = answerOf(other, "POST", "pod/hmac/verify");
      assert.deepEqual(
        [verdict.status, verdict.type],
        [200, "text/plain; charset=us-ascii"],
        "ACE-64: of another, ended pod",
      );
      const forged = output([
        ...[
          "--mds-register",
          ...way,
          guestImage,
          "--",
          "ask",
          "POST",
          `${api}/pod/hmac/verify`,
          `content=other&${form}`,
        ],
      ]);
      assert.equal(answerOf(forged, "POST", "pod/hmac/verify").status, 403);
    });
  }

  it("META-1: whoever has another token is told nothing, and a pod that did not ask has no URL", () => {
    const stdout = output([guestImage, "--", "env"]);
    assert.deepEqual(valuesOf(stdout, "env.AC_METADATA_URL"), []);
    const elsewhere = ["--environment", `AC_METADATA_URL=http://127.0.0.1:18112/${"0".repeat(32)}`];
    const told = output(["--mds-register", guestImage, ...elsewhere, "--", ...get("pod/uuid"), "env"]);
    assert.notEqual(answerOf(told, "GET", "pod/uuid").body, "", "nobody sets the variable but perigee");
    assert.doesNotMatch(valuesOf(told, "env.AC_METADATA_URL")[0] ?? "", /0{32}/);
  });

  it("SHIM-40: no program of the pod has the socket, and a pod that did not ask has none", () => {
    const asked = output(["--mds-register", guestImage, "--", "fds", ",", "cat", "/proc/net/tcp"]);
    const not = output([guestImage, "--", "fds", ",", "cat", "/proc/net/tcp"]);
    const fds = (text: string) => text.split("\n").filter((line) => line.slice(0, 3) === "fd.").length;
    assert.equal(fds(asked), fds(not));
    // 18112 in hexadecimal, listening (0A).
    assert.match(asked, /0100007F:46C0 00000000:0000 0A/);
    assert.doesNotMatch(not, /:46C0/);
  });

  it("META-2: nothing of it but the secret and a report outlives the last pod; what is there is its owner's alone (ACE-65)", async () => {
    await idle();
    assert.equal(statSync(directory()).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory(), "secret")).mode & 0o777, 0o600);
    assert.equal(readFileSync(join(directory(), "report"), "utf8"), "");
  });
});

describe("perigee metadata-service", () => {
  const start = (...args: readonly string[]) => {
    const child = work.start(["metadata-service", ...args]);
    assert.ok(child.stdout);
    return { child, ready: once(child.stdout, "data"), ended: once(child, "close") };
  };

  it("META-3: is one; a second is refused, and SIGTERM ends it well", async () => {
    const first = start();
    assert.match(String(await first.ready), /^pods are registered at .*\/metadata\/socket\n$/);
    const second = work.perigee(["metadata-service"]);
    assert.equal(second.status, 6, second.stderr);
    assert.match(second.stderr, /^error\[LOCKED\]/);
    first.child.kill("SIGTERM");
    assert.deepEqual(await first.ended, [0, null]);
  });

  it("META-4, META-5: a service that was killed is no loss: the next answers the same pods with the same keys", async () => {
    const first = start();
    await first.ready;
    const uuid = output(["--detach", "--mds-register", guestImage, "--name", "one", "--", "wait"]).trim();
    const enter = (...words: readonly string[]) => work.must(["enter", uuid, "/guest", ...words]);
    const sign = ["ask", "POST", `${api}/pod/hmac/sign`, "content=x"];
    const signed = answerOf(enter(...sign), "POST", "pod/hmac/sign").body;
    first.child.kill("SIGKILL");
    await first.ended;
    const second = start();
    await second.ready;
    assert.equal(answerOf(enter(...sign), "POST", "pod/hmac/sign").body, signed);
    second.child.kill("SIGTERM");
    await second.ended;
    work.must(["stop", uuid]);
  });

  it("META-6: a port of the host that somebody else has is no hindrance", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const service = start("--listen-port", String(port));
    await service.ready;
    const stdout = output(["--mds-register", "--net=host", guestImage, "--", ...get("pod/uuid"), "env"]);
    assert.equal(answerOf(stdout, "GET", "pod/uuid").status, 200);
    assert.ok(!(valuesOf(stdout, "env.AC_METADATA_URL")[0] ?? "").includes(`:${port}/`));
    service.child.kill("SIGTERM");
    await service.ended;
    taken.close();
  });

  it("META-7: an app that says half a request, or too much, keeps nobody from being answered", async () => {
    const service = start();
    await service.ready;
    const stdout = output([
      ...[
        "--mds-register",
        guestImage,
        "--",
        "ask",
        "POST",
        `${api}/pod/hmac/sign`,
        `content=${"x".repeat(60_000)}`,
        ",",
      ],
      ...["ask", "POST", `${api}/pod/hmac/sign`, "%zz", ",", "ask", "PUT", `${api}/pod/uuid`, ","],
      ...["ask", "GET", "../../etc/passwd", ",", "ask", "GET", `${api}/%ff`, ",", ...get("pod/uuid"), "cwd"],
    ]);
    assert.equal(answerOf(stdout, "PUT", "pod/uuid").status, 405);
    assert.equal(answerOf(stdout, "GET", "pod/uuid").status, 200);
    assert.deepEqual(valuesOf(stdout, "GET.../../etc/passwd.status"), ["404"]);
    service.child.kill("SIGTERM");
    await service.ended;
  });
});
