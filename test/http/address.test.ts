import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isPrivateAddress } from "../../src/http/address.ts";

const ofPrivateNetworks = [
  ...["0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"],
  ...["172.16.0.1", "172.31.255.255", "192.0.0.8", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"],
  ...["::", "::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"],
  ...["::ffff:127.0.0.1", "::ffff:a00:1", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a00:1::1"],
  ...["0:0:0:0:0:ffff:192.168.0.1", "2002:7f00:1::"],
];
const ofTheInternet = [
  ...["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"],
  ...["172.15.255.255", "172.32.0.0", "192.0.2.1", "192.167.255.255", "192.169.0.0", "198.20.0.0", "223.255.255.255"],
  ...[
    "2001:db8::1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2002:101:101::1",
    "fb00::1",
    "::1.1.1.1",
  ],
];

describe("T-D03: isPrivateAddress", () => {
  for (const address of ofPrivateNetworks)
    it(`${address} is private`, () => assert.equal(isPrivateAddress(address), true));
  for (const address of ofTheInternet) it(`${address} is not`, () => assert.equal(isPrivateAddress(address), false));
  it("a name is no address", () => {
    for (const name of ["localhost", "example.com", "", "1.2.3", "[::1]"]) assert.equal(isPrivateAddress(name), false);
  });
});
