/** Chromium led through its own pipe, for what its command line cannot do: pages with scripts switched off. */
import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

export interface Sight {
  /** The page as the browser understood it. */
  readonly html: string;
  readonly png: Buffer;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

export class Browser {
  readonly #child;
  readonly #writer: Writable;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  #count = 0;

  constructor(argv: readonly string[], env: Readonly<Record<string, string>>) {
    const [command = "", ...args] = argv;
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"] as const;
    this.#child = spawn(command, [...args, "--remote-debugging-pipe"], { env, stdio: [...stdio] });
    this.#writer = this.#child.stdio[3] as Writable;
    let rest = "";
    (this.#child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) this.#hear(JSON.parse(message));
    });
  }

  #hear(message: Message): void {
    this.#waiting.get(message.id ?? -1)?.(message);
    for (const listener of this.#listeners) listener(message);
  }

  #ask(method: string, params: object, sessionId?: unknown): Promise<Readonly<Record<string, unknown>>> {
    this.#count += 1;
    const id = this.#count;
    this.#writer.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result = {}, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.#child.once("exit", () => reject(new Error(`the browser ended before it answered ${method}`)));
    });
  }

  #until(method: string): Promise<void> {
    return new Promise((resolve) => {
      const listener = (message: Message): void => {
        if (message.method !== method) return;
        this.#listeners.delete(listener);
        resolve();
      };
      this.#listeners.add(listener);
    });
  }

  /** Opens the page in a tab of its own, and waits until it is loaded. */
  async look(url: string, { scripts }: { readonly scripts: boolean }): Promise<Sight> {
    const { targetId } = await this.#ask("Target.createTarget", { url: "about:blank", newWindow: true });
    const { sessionId } = await this.#ask("Target.attachToTarget", { targetId, flatten: true });
    await this.#ask("Page.enable", {}, sessionId);
    await this.#ask("Emulation.setScriptExecutionDisabled", { value: !scripts }, sessionId);
    const loaded = this.#until("Page.loadEventFired");
    await this.#ask("Page.navigate", { url }, sessionId);
    await loaded;
    const { root } = await this.#ask("DOM.getDocument", {}, sessionId);
    const { nodeId } = root as { readonly nodeId: number };
    const { outerHTML } = await this.#ask("DOM.getOuterHTML", { nodeId }, sessionId);
    const { data } = await this.#ask("Page.captureScreenshot", { format: "png" }, sessionId);
    await this.#ask("Target.closeTarget", { targetId });
    return { html: String(outerHTML), png: Buffer.from(String(data), "base64") };
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    await this.#ask("Browser.close", {}).catch(() => this.#child.kill("SIGKILL"));
    await ended;
  }
}
