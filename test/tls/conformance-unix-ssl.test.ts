/** The suite for streams over Unix sockets, TLS from the start. */
import "../support/leak-guard.js";
import { unix } from "../support/pairs.js";
import { checkTls } from "./conformance.js";

checkTls(unix, "ssl");
