/** What goes wrong between two machines, in words: the codes of sockets, DNS, TLS and the HTTP parser become Failures. */
import { errnoOf, Failure, type FailureCode } from "../base/failure.ts";

interface Explanation {
  readonly code: FailureCode;
  readonly words: string;
  readonly hint: string;
}

const tryLater = "try again later, or ask who runs the server";
const otherCa = "if the server's certificate authority is a private one, name its certificate with --ca-file PEM";
const renew = "the server's certificate has to be renewed; also check this machine's clock";
const reissue = "the server needs another certificate";

const tls = (words: string, hint: string): Explanation => ({ code: "TLS_FAILED", words, hint });
const network = (words: string, hint: string): Explanation => ({ code: "HTTP_FAILED", words, hint });

const explanations: ReadonlyMap<string, Explanation> = new Map([
  ["ECONNREFUSED", network("the connection was refused", "check that the server runs and that the port is right")],
  ["ECONNRESET", network("the server broke off the connection", tryLater)],
  ["EPIPE", network("the server broke off the connection", tryLater)],
  ["ERR_STREAM_PREMATURE_CLOSE", network("the answer ended before it was complete", tryLater)],
  ["ENOTFOUND", network("its host name is not known", "check the spelling, or give --connect-to HOST:ADDR:PORT")],
  ["EAI_AGAIN", network("its host name could not be looked up", "check the DNS, or give --connect-to HOST:ADDR:PORT")],
  ["EHOSTUNREACH", network("the host cannot be reached", "check the network")],
  ["ENETUNREACH", network("the network cannot be reached", "check the network")],
  [
    "ERR_PROXY",
    network("the proxy did not connect", "check HTTPS_PROXY and NO_PROXY, and whether the proxy asks for a password"),
  ],
  [
    "ERR_PRIVATE_ADDRESS",
    network(
      "a server of the Internet leads there, into a private network",
      "if that is right, name the place: --connect-to HOST:ADDR:PORT",
    ),
  ],
  ["HPE_HEADER_OVERFLOW", network("its headers are longer than 16 KiB", "ask who runs the server")],
  ["ETIMEDOUT", { code: "TIMED_OUT", words: "the connection could not be made in time", hint: tryLater }],
  ["CERT_HAS_EXPIRED", tls("its certificate has expired", renew)],
  ["CERT_NOT_YET_VALID", tls("its certificate is not valid yet", renew)],
  ["CERT_REVOKED", tls("its certificate was revoked", reissue)],
  ["ERR_TLS_CERT_ALTNAME_INVALID", tls("its certificate is for another name", reissue)],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", tls("its certificate is signed by nobody but itself", otherCa)],
  ["SELF_SIGNED_CERT_IN_CHAIN", tls("its certificate comes from an authority that is not trusted here", otherCa)],
  ["UNABLE_TO_GET_ISSUER_CERT", tls("its certificate comes from an unknown authority", otherCa)],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", tls("its certificate comes from an unknown authority", otherCa)],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", tls("its certificate comes from an unknown authority", otherCa)],
  ["CERT_SIGNATURE_FAILURE", tls("its certificate's signature is wrong", reissue)],
  ["INVALID_PURPOSE", tls("its certificate is not one for servers", reissue)],
  ["CA_MD_TOO_WEAK", tls("its certificate is signed with a digest that is too weak", reissue)],
  ["EE_KEY_TOO_SMALL", tls("its certificate's key is too small", reissue)],
  // Node's word for refusals that it has no code for: a digest or a key that is too weak. The cause says which.
  ["UNSPECIFIED", tls("its certificate is not accepted", reissue)],
  ["EPROTO", tls("it does not speak TLS 1.2 or later", "check that the port is one for https")],
]);

/** The Failure for `error`, which asking `url` ended with; its subject is the URL. */
export function requestFailure(error: unknown, url: string): Failure {
  if (error instanceof Failure) return error;
  const code = errnoOf(error) ?? "";
  const { code: failure, words, hint } = explanations.get(code) ?? explanationByFamily(code);
  return new Failure(failure, `${url}: ${words}`, { subject: url, cause: error, hint });
}

/** A deadline of ours passed. */
export function timeout(url: string, what: string): Failure {
  return new Failure("TIMED_OUT", `${url}: ${what}`, { subject: url, hint: tryLater });
}

/** The caller gave up. */
export function interrupted(url: string): Failure {
  return new Failure("INTERRUPTED", `interrupted while asking ${url}`, { subject: url });
}

function explanationByFamily(code: string): Explanation {
  if (code.startsWith("ERR_SSL_")) return tls("the TLS handshake failed", "check that the port is one for https");
  if (code.startsWith("ERR_TLS_") || /CERT|CRL|CHAIN/.test(code)) {
    return tls(`its certificate is not accepted (${code})`, reissue);
  }
  if (code.startsWith("HPE_")) return network("its answer is not HTTP", "check the port");
  return network("the request failed", tryLater);
}
