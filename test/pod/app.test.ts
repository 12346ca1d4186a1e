import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { completeApp, type StoredApp } from "../../src/pod/app.ts";
import { App } from "../../src/schema/app.ts";

const documents: readonly string[] = [
  '{"user":"0","group":"0"}',
  '{"exec":["/x","-a"],"user":"web","group":"/etc","environment":[{"name":"A","value":"1"}],"workingDirectory":"/srv"}',
  '{"user":"0","group":"0","exec":null,"environment":null,"isolators":null,"mountPoints":null,"ports":null,"eventHandlers":null,"supplementaryGIDs":null,"workingDirectory":""}',
  '{"user":"0","group":"0","supplementaryGids":[1,2],"mountPoints":[{"name":"a","path":"/a"},{"name":"b","path":"/b","readOnly":true}]}',
  '{"user":"0","group":"0","supplementaryGIDs":[3]}',
  '{"user":"0","group":"0","ports":[{"name":"a","protocol":"tcp","port":80},{"name":"b","protocol":"udp","port":90,"count":0,"socketActivated":true}]}',
  '{"user":"0","group":"0","eventHandlers":[{"name":"pre-start","exec":["/h"]}],"isolators":[{"name":"resource/memory","value":{"limit":"1G"}}],"userLabels":{"a":"b"}}',
];

describe("completeApp", () => {
  for (const text of documents) {
    it(`fills in what the schema would: ${text.slice(0, 60)}`, () => {
      const parsed = App.parse(JSON.parse(text));
      const stored: StoredApp = JSON.parse(text);
      assert.deepEqual(JSON.parse(JSON.stringify(completeApp(stored))), JSON.parse(JSON.stringify(parsed, dropNull)));
    });
  }
});

function dropNull(_: string, value: unknown): unknown {
  return value === null ? undefined : value;
}
