/** The suite for streams over TCP sockets, TLS from the start. */
import "../support/leak-guard.js";
import { tcp } from "../support/pairs.js";
import { checkTls } from "./conformance.js";

checkTls(tcp, "ssl");
