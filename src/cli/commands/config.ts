/** perigee config */
import { type ConfigValue, showConfig } from "../../api/config.ts";
import { printable } from "../../base/failure.ts";
import { defineCommand } from "../command.ts";
import { formatTable } from "../tables.ts";

export default defineCommand({
  name: "config",
  summary: "Show what the configuration files say together, and which file says it",
  description:
    "Reads paths.d, http.d, limits.d, auth.d and registries.d of the system's, the machine's and your own configuration directory, as every command does: later directories win, item by item. " +
    "Passwords, tokens and keys are never shown.",
  options: [["--all", "also what no file sets: the defaults of limits"]],
  examples: ["perigee config", "perigee config --all", "perigee config --format json"],
  notes: ["1: a file cannot be used; the message names it, and the place in it"],
  run: async ({ settings, options }) => {
    const config = await showConfig(settings);
    return { ...config, values: config.values.filter(({ file }) => file !== null || options.flag("all")) };
  },
  text: ({ directories, dataFrom, values }) => [
    ...formatTable(
      ["DIRECTORY", "IS", "FROM"],
      [
        ["data", printable(directories.data), printable(dataFrom)],
        ["system configuration", printable(directories.systemConfig), ""],
        ["local configuration", printable(directories.localConfig), ""],
        ["user configuration", printable(directories.userConfig), ""],
      ],
    ),
    "",
    ...(values.length === 0 ? ["no configuration file sets anything"] : table(values)),
  ],
});

function table(values: readonly ConfigValue[]): readonly string[] {
  return formatTable(
    ["KIND", "ITEM", "VALUE", "FROM"],
    values.map(({ kind, item, value, file, overrides }) => [
      kind,
      printable(item),
      printable(String(value)),
      printable([file ?? "default", ...overrides.map((path) => `(instead of ${path})`)].join(" ")),
    ]),
  );
}
