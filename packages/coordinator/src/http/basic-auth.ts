import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { sendText } from "@gmc/storage";

/** True when the request carries this password (any user's name); else it has been answered with 401. */
export function authorised(request: IncomingMessage, response: ServerResponse, password: string): boolean {
  const [, encoded = ""] = /^Basic ([A-Za-z0-9+/=]+)$/.exec(request.headers.authorization ?? "") ?? [];
  const given = Buffer.from(encoded, "base64").toString("utf8").split(":").slice(1).join(":");
  if (timingSafeEqual(digest(given), digest(password))) return true;
  response.setHeader("www-authenticate", 'Basic realm="gmc", charset="UTF-8"');
  sendText(response, 401, "The board wants its password.\n");
  return false;
}

/** Of one length, so that a comparison tells nothing of the password's. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
