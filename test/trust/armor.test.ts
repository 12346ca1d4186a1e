import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { armor, readBlocks } from "../../src/trust/armor.ts";

describe("armour", () => {
  it("reads back what it writes, whatever the length", () => {
    for (let length = 1; length < 200; length++) {
      const binary = Buffer.alloc(length, length);
      assert.deepEqual(readBlocks(Buffer.from(armor("SIGNATURE", binary))), [{ type: "SIGNATURE", binary }]);
    }
  });

  it("writes lines of at most 64 characters and the checksum of RFC 4880", () => {
    const text = armor("PUBLIC KEY BLOCK", Buffer.from("123456789"));
    // 0x21cf02 is the check value of CRC-24/OPENPGP over these nine digits.
    assert.match(
      text,
      new RegExp(`\n=${Buffer.from([0x21, 0xcf, 0x02]).toString("base64")}\n-----END PGP PUBLIC KEY BLOCK-----\n$`),
    );
    for (const line of armor("SIGNATURE", Buffer.alloc(1000)).split("\n")) assert.ok(line.length <= 64);
  });

  it("takes binary input as one unlabelled block", () => {
    assert.deepEqual(readBlocks(Buffer.from([0x88, 0])), [{ type: undefined, binary: Buffer.from([0x88, 0]) }]);
  });

  it("reads several blocks in order", () => {
    const text = `\n${armor("PUBLIC KEY BLOCK", Buffer.from("a"))}\n\n${armor("PRIVATE KEY BLOCK", Buffer.from("b"))}`;
    assert.deepEqual(
      readBlocks(Buffer.from(text)).map(({ binary }) => binary.toString()),
      ["a", "b"],
    );
  });

  it("T-S25: refuses what another reader could see otherwise", () => {
    const clean = armor("SIGNATURE", Buffer.from("some bytes"));
    const cases: readonly (readonly [string, RegExp])[] = [
      ["", /empty/],
      ["plain text", /outside/],
      [`${clean}-----BEGIN PGP SIGNATURE-----\n`, /does not end/],
      [clean.replace("END PGP SIGNATURE", "END PGP MESSAGE"), /does not end/],
      [clean.replace("BEGIN PGP SIGNATURE", "BEGIN PGP SIGNED MESSAGE"), /signed message/],
      [clean.replace("\n\n", "\nCharset : x\n\n"), /header/],
      [clean.replace("\n\n", "\n\n \n!"), /base64/],
      [clean.replace(/\n=....\n/, "\n=AAAA\n"), /checksum/],
      [clean.replace(/\n\n.*\n/, "\n\n"), /base64/],
      [clean.replace("\n\n", "\n\n\u0085"), /control/],
      [clean.replaceAll("\n", "\r"), /control/],
    ];
    for (const [text, reason] of cases)
      assert.throws(() => readBlocks(Buffer.from(text)), reason, JSON.stringify(text));
  });
});
