/**
 * In the network of inner-network.ts each argument is a URL that a client asks; printed is, as JSON, how each ended, what was reached, and
 * which names were looked up. `{port}` in a URL is the server's.
 */
import { Failure } from "../../src/base/failure.ts";
import { asked, http, port, reached } from "./inner-network.ts";

const ends: string[] = [];
for (const url of process.argv.slice(2)) {
  try {
    const response = await http.get(url.replaceAll("{port}", String(port)));
    ends.push(String(await response.bytes(100)));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    ends.push(`${error.code} ${Reflect.get(Object(error.cause), "code")}`);
  }
}
process.stdout.write(JSON.stringify({ ends, reached, asked }));
process.exit(0);
