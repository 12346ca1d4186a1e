/** A network plugin for tests: a program that writes down how it was called, and answers as it was told to. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../../src/net/config.ts";

export interface RecordedCall {
  /** The program's name. */
  readonly plugin: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly input: JsonObject;
}

/** Plugins below `directory`, each a shell script; the calls of all of them, in their order. */
export class RecordingPlugins {
  readonly directory: string;
  readonly #calls: string;

  constructor(directory: string) {
    this.directory = join(directory, "plugins");
    this.#calls = join(directory, "calls");
    mkdirSync(this.directory, { recursive: true });
    mkdirSync(this.#calls, { recursive: true });
  }

  /** `behaviour` is shell that runs after the call was written down, with CNI_COMMAND in its environment; its output is the answer. */
  add(name: string, behaviour: string): void {
    const calls = this.#calls;
    const script = `#!/bin/sh
n=$(ls ${calls} | grep -c input); n=$(printf %03d "$n")
cat > ${calls}/$n.input
env > ${calls}/$n.environment
echo ${name} > ${calls}/$n.plugin
${behaviour}
`;
    writeFileSync(join(this.directory, name), script, { mode: 0o755 });
  }

  calls(): readonly RecordedCall[] {
    const numbers = readdirSync(this.#calls).filter((file) => file.endsWith(".input"));
    return numbers.sort().map((file) => {
      const read = (kind: string) => readFileSync(join(this.#calls, file.replace("input", kind)), "utf8");
      const variables = read("environment").trim().split("\n");
      return {
        plugin: read("plugin").trim(),
        environment: Object.fromEntries(
          variables.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
        ),
        input: JSON.parse(read("input")) as JsonObject,
      };
    });
  }
}

/** An answer to ADD with this address. */
export function addAnswer(address: string, more: JsonObject = {}): string {
  return `cat <<'END'\n${JSON.stringify({ cniVersion: "1.0.0", ips: [{ address }], ...more })}\nEND`;
}
