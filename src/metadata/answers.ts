/** What the metadata service says (ACE-60…64): from what is known of a pod and one request to the answer. Pure; knows no socket. */
import { isUuid } from "../pod/pod.ts";
import { parseForm } from "./form.ts";
import type { PodKeys } from "./keys.ts";

/** A pod as the service knows it. */
export interface DescribedPod {
  readonly uuid: string;
  /** The reified pod manifest as the pod keeps it, byte for byte. */
  readonly manifest: Buffer;
  /** The original manifest of an image of the pod. @throws Failure when the store has it no more */
  imageManifest(id: string): Buffer;
}

export interface MetadataRequest {
  readonly method: string;
  /** What stands behind the token in the URL's path, decoded: `acMetadata`, `v1`, … */
  readonly path: readonly string[];
  readonly contentType: string;
  readonly body: Buffer;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer | string;
}

const [ascii, text, json] = ["text/plain; charset=us-ascii", "text/plain; charset=utf-8", "application/json"];

interface Annotation {
  readonly name: string;
  readonly value: string;
}

/** What is read of manifests: both were validated before they were stored. */
interface Manifest {
  readonly annotations?: readonly Annotation[] | null;
  readonly apps?: readonly (Manifest & { readonly name: string; readonly image: { readonly id: string } })[];
}

type App = NonNullable<Manifest["apps"]>[number];

export function answerTo(pod: DescribedPod, keys: PodKeys, request: MetadataRequest): MetadataAnswer {
  const [root, version, area, ...rest] = request.path;
  if (root !== "acMetadata" || version !== "v1") return refusal(404, "no such path; it begins with acMetadata/v1");
  if (area === "pod" && rest[0] === "hmac") return ofKeys(pod, keys, request, rest[1]);
  if (request.method !== "GET" && request.method !== "HEAD") return refusal(405, "only GET is answered here");
  if (area === "pod") return ofPod(pod, rest);
  return area === "apps" ? ofApp(pod, rest) : refusal(404, "no such path");
}

export function refusal(status: number, reason: string): MetadataAnswer {
  return { status, type: text, body: `${reason}\n` };
}

function ofPod({ uuid, manifest }: DescribedPod, [what, ...name]: readonly string[]): MetadataAnswer {
  if (what === "annotations") return ofAnnotations(parse(manifest).annotations ?? null, name);
  if (name.length > 0) return refusal(404, "no such path");
  if (what === "manifest") return { status: 200, type: json, body: manifest };
  if (what === "uuid") return { status: 200, type: ascii, body: uuid };
  return refusal(404, "no such path");
}

function ofApp(pod: DescribedPod, [name, what, ...rest]: readonly string[]): MetadataAnswer {
  const app = parse(pod.manifest).apps?.find((one) => one.name === name);
  if (app === undefined) return refusal(404, "no such app");
  if (what === "annotations") return ofAnnotations(annotationsOf(pod, app), rest);
  if (what !== "image" || rest.length !== 1) return refusal(404, "no such path");
  if (rest[0] === "id") return { status: 200, type: ascii, body: app.image.id };
  if (rest[0] === "manifest") return { status: 200, type: json, body: pod.imageManifest(app.image.id) };
  return refusal(404, "no such path");
}

/** The list as it is, also when there is none; or the value of one, whose name may have slashes. */
function ofAnnotations(annotations: readonly Annotation[] | null, name: readonly string[]): MetadataAnswer {
  if (name.length === 0) return { status: 200, type: json, body: JSON.stringify(annotations) };
  const found = annotations?.find((one) => one.name === name.join("/"));
  return found === undefined ? refusal(404, "no such annotation") : { status: 200, type: text, body: found.value };
}

/** ACE-62: the image's, with the app's of the pod set over them: replaced in place, new ones behind. */
function annotationsOf(pod: DescribedPod, app: App): readonly Annotation[] {
  const merged = new Map<string, string>();
  for (const { name, value } of parse(pod.imageManifest(app.image.id)).annotations ?? []) merged.set(name, value);
  for (const { name, value } of app.annotations ?? []) merged.set(name, value);
  return [...merged].map(([name, value]) => ({ name, value }));
}

function ofKeys(pod: DescribedPod, keys: PodKeys, request: MetadataRequest, what: string | undefined): MetadataAnswer {
  if (what !== "sign" && what !== "verify") return refusal(404, "no such path");
  if (request.method !== "POST") return refusal(405, "only POST is answered here");
  const isForm = /^application\/x-www-form-urlencoded(?:\s*;|$)/i.test(request.contentType);
  const form = isForm ? parseForm(request.body) : undefined;
  const content = form?.get("content");
  if (content === undefined) return refusal(400, "a form with one field `content` is needed");
  if (what === "sign") return { status: 200, type: ascii, body: keys.sign(pod.uuid, content) };
  const [uuid, signature] = [form?.get("uuid")?.toString("latin1"), form?.get("signature")?.toString("latin1")];
  if (uuid === undefined || signature === undefined || !isUuid(uuid)) {
    return refusal(400, "the fields `content`, `uuid` and `signature` are needed");
  }
  const isRight = keys.verify(uuid, content, signature);
  return isRight ? { status: 200, type: ascii, body: "" } : { ...refusal(403, "another signature"), type: ascii };
}

function parse(manifest: Buffer): Manifest {
  const value: Manifest = JSON.parse(manifest.toString("utf8"));
  return value;
}
