// A reporter of node:test: one line for each test that was skipped or marked as still to do.
// biome-ignore lint/style/noDefaultExport: node:test takes the default export of the module that --test-reporter names
export default async function* skipReporter(source) {
  for await (const { type, data } of source) {
    const isSkipped = data.skip !== undefined || data.todo !== undefined;
    if ((type === "test:pass" || type === "test:fail") && isSkipped) yield `${data.name}\n`;
  }
}
