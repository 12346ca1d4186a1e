/** perigee image validate */
import { type DocumentType, documentTypes, type Validation, validateImages } from "../../api/validate.ts";
import { exitStatus, Failure, printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  name: "image validate",
  arguments: "<file...>",
  summary: "Check images and manifests against the specification",
  description:
    "Each file is an image, a directory with manifest and rootfs, or an image or pod manifest. " +
    "What is wrong is named with line and column, field and rule.",
  options: [["--type <type>", "appimage, layout or manifest; told by looking if not given"]],
  examples: ["perigee image validate web.aci", "perigee image validate --type manifest web/manifest"],
  notes: ["1: a file breaks a rule", "3: a file is not there", "of several files the first bad one counts"],
  run: async ({ args, options, settings, signal }) =>
    await validateImages(settings, { files: args, type: typeOf(options.text("type")), signal }),
  text: (validations) => validations.flatMap(lines),
  json: (validations) => validations.map(asData),
  status: (validations) => {
    const bad = validations.find(({ failure }) => failure !== undefined);
    return bad === undefined ? 0 : exitStatus(bad.failure);
  },
});

function typeOf(text: string | undefined): DocumentType | undefined {
  const type = documentTypes.find((candidate) => candidate === text);
  if (text === undefined || type !== undefined) return type;
  throw new Failure("USAGE", `there is no type ${printable(text)}`, { hint: `--type ${documentTypes.join("|")}` });
}

const words: Readonly<Record<DocumentType, string>> = {
  appimage: "image",
  layout: "image layout",
  manifest: "manifest",
};

function lines({ file, type, id, name, failure }: Validation): readonly string[] {
  const kind = type === undefined ? "file" : words[type];
  if (failure === undefined) return [[`${printable(file)}: valid ${kind}`, name, id].filter(Boolean).join(" ")];
  const cause = causeText(failure);
  return [
    `${printable(file)}: not a valid ${kind}`,
    `  error[${failure.code}]: ${failure.message}`,
    ...(cause === null ? [] : cause.split("\n").map((line) => `  cause: ${line}`)),
    ...(failure.hint === undefined ? [] : [`  try: ${failure.hint}`]),
  ];
}

function asData({ file, type, id, name, failure }: Validation) {
  const { code, message, hint } = failure ?? {};
  return {
    file,
    type: type ?? null,
    valid: failure === undefined,
    id: id ?? null,
    name: name ?? null,
    error: failure === undefined ? null : { code, message, cause: causeText(failure), hint: hint ?? null },
  };
}

function causeText({ cause }: Failure): string | null {
  if (cause instanceof Error) return printable(cause.message);
  return typeof cause === "string" ? cause : null;
}
