/** AWS Signature Version 4 as the server comes to it, which knows the secret and sees only the request. */
import { createHash, createHmac } from "node:crypto";
import type { RecordedRequest } from "./https-server.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The Authorization header that the request must have, for requests without a body and values that need no encoding. */
export function expectedAuthorization(request: RecordedRequest, keyId: string, secret: string, region: string): string {
  const signed = /SignedHeaders=([^,]+),/.exec(request.headers.authorization ?? "")?.[1] ?? "";
  const names = signed.split(";");
  if (!["host", "x-amz-date", "x-amz-content-sha256"].every((name) => names.includes(name)))
    return "too little is signed";
  const time = String(request.headers["x-amz-date"]);
  const [path = "", query = ""] = request.path.split("?");
  const parameters = query
    .split("&")
    .map((part) => (part === "" || part.includes("=") ? part : `${part}=`))
    .sort()
    .join("&");
  const values = names.map((name) => `${name}:${String(request.headers[name]).trim()}`);
  const digest = String(request.headers["x-amz-content-sha256"]);
  const canonical = [request.method, path, parameters, ...values, "", signed, digest].join("\n");
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of [...scope.split("/"), ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")])
    key = createHmac("sha256", key).update(part).digest();
  const signature = (key as Buffer).toString("hex");
  return `AWS4-HMAC-SHA256 Credential=${keyId}/${scope},SignedHeaders=${signed},Signature=${signature}`;
}
