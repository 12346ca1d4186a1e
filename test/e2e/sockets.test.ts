/** LIFE-88, ACI-43: sockets that a service manager opened arrive at the apps whose ports they are. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { endPods, guestWork } from "../helpers/guest-work.ts";
import { program, Running, valuesOf } from "../helpers/program.ts";

const work = guestWork((work) => endPods(work));
const image = "example.com/activated";
const stored = (): string =>
  work.stored(image, { ports: [{ name: "http", protocol: "tcp", port: 80, socketActivated: true }] });

/** As a service manager starts a unit: opens one socket, names it, and becomes the program. Says its port on standard error. */
function activated(name: string, args: readonly string[]): Running {
  const script = `import os,socket,sys
s=socket.socket()
s.bind(("127.0.0.1",0))
s.listen()
print("port=%d" % s.getsockname()[1],flush=True)
if s.fileno()!=3: os.dup2(s.fileno(),3)
os.set_inheritable(3,True)
os.environ.update(LISTEN_FDS="1",LISTEN_PID=str(os.getpid()),LISTEN_FDNAMES=sys.argv[1])
os.execv(sys.argv[2],sys.argv[2:])`;
  const [, ...line] = work.runLine(args);
  return new Running(work.startCommand(["python3", "-c", script, name, program, ...line], "pipe"));
}

function greeting(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    connect(port, "127.0.0.1")
      .once("data", (bytes) => resolve(String(bytes)))
      .once("error", reject);
  });
}

describe("a socket-activated port", () => {
  it("is served by a pod without a network, in the foreground and in the background", async () => {
    stored();
    for (const options of [[], ["--detach"]]) {
      const running = activated("http", [...options, image, "--", "env", ",", "greet", "3"]);
      await running.until(/port=\d+/);
      assert.equal(await greeting(Number(valuesOf(running.stdout, "port")[0])), "hello");
      assert.equal(await running.ended, 0, running.stderr);
      if (options.length > 0) continue;
      assert.deepEqual(valuesOf(running.stdout, "listen.own"), ["1"]);
      assert.deepEqual(valuesOf(running.stdout, "env.LISTEN_FDNAMES"), ["http"]);
    }
  });

  it("a socket that is no port's keeps the pod from starting, and leaves nothing", async () => {
    stored();
    const before = work.pods().length;
    const running = activated("metrics", [image, "--", "greet", "3"]);
    assert.equal(await running.ended, 125);
    assert.match(running.stderr, /error\[USAGE\]: no socket was handed over for port http of activated/);
    assert.match(running.stderr, /handed over: descriptor 3 \(tcp \d+, called metrics\)/);
    assert.equal(work.pods().length, before);
  });

  it("without a manager the app has to listen itself, and that is said", () => {
    stored();
    const { stderr, status } = work.run([image, "--", "exit", "0"]);
    assert.deepEqual([status, /port http is socket-activated, and no socket was handed over/.test(stderr)], [0, true]);
  });
});
